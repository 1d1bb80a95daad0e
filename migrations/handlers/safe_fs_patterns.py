"""filtering.safe_fs_patterns: where filter lists may be read from."""


def migrate(document, contract):
    """Allow the data directory's lists, and every list in use that is an absolute path."""
    if not document.has("filters") or not document.has("filtering"):
        return
    filters = _typed(document, "filters", list)
    _typed(document, "filtering", dict)
    patterns = [contract.parameters["data_dir"] + "/userfilters/*"]
    for number, item in enumerate(filters or ()):
        if not isinstance(item, dict):
            _refuse("object", f"filters[{number}]")
        url = item.get("url")
        if url is not None and not isinstance(url, str):
            _refuse("string", f"filters[{number}].url")
        if url and url.startswith("/"):
            patterns.append(url)
    document.set("filtering.safe_fs_patterns", patterns)


def _typed(document, path, kind):
    value = document.get(path)
    if value is not None and not isinstance(value, kind):
        _refuse("list" if kind is list else "object", path)
    return value


def _refuse(wanted, place):
    from confmig.errors import Refused

    raise Refused("wrong_type", f"{wanted} is expected here", place=place)
