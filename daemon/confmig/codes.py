"""Every reason and every error code, with its meaning and what to do. The only such table.

``help`` is what a message shows where the place that found the problem knows nothing better. The
page ``docs/reference/codes.md`` is made from this table; ``core/policy/reasons`` orders the reasons
and takes their explanations from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means, as a clause, and what to do about it."""

    meaning: str
    help: str


_BY_HAND = "migrate this place by hand, or write the migration in another way"
_FILE = "correct the file, then run again"
_REPORT = "migrate this place by hand, and report the shape of the file as a bug"
_MANIFEST = "correct manifest.json; `confmig check` finds all problems at once"
_MIGRATION = "correct the value in the file, or the migration"
_SETTINGS = "correct the settings; `confmig schema settings` describes them"
_STATE = "restore the state directory from a backup, or see docs/runbooks/state-unusable.md"
_AGAIN = "repair the disk, then run again; that finishes or undoes the transaction first"

SECTIONS: Mapping[str, Mapping[str, Code]] = {
    "Why a migration does not run now": {
        "blocked_by_partial_failure": Code(
            "an earlier transaction changed only some of its files, so nothing runs in the target",
            "`confmig status` names it; `confmig resolve TX --dry-run` shows each choice",
        ),
        "policy_missing": Code(
            "the settings name no policy, so only online migrations run",
            "name a policy in the settings",
        ),
        "policy_invalid": Code(
            "the policy cannot be used, so nothing runs", "`confmig check` shows its problems"
        ),
        "outbox_full": Code("too many events wait for delivery", "bring the OTLP receiver back"),
        "target_read_only": Code(
            "the target is mounted read-only", "mount it so that confmig can write"
        ),
        "target_drifted": Code(
            "a file was changed while it was being migrated", "nothing; it is planned again"
        ),
        "target_busy": Code(
            "another process has the file open for writing, or changes it again and again",
            "nothing; it is migrated once it is quiet",
        ),
        "version_regressed": Code(
            "another program writes an older version back",
            "upgrade the service that writes the old version",
        ),
        "document_failed": Code("a document cannot be migrated", "`confmig status` names it"),
        "config_ambiguous": Code(
            "a migration changes several files as one and needs exactly one of each configuration",
            "add the missing file, or correct the file patterns in manifest.json",
        ),
        "documents_out_of_step": Code(
            "a migration changes several files as one, and some of them have had it",
            "bring them to one version with `confmig rollback` or a restored file",
        ),
        "dependency_pending": Code(
            "a migration that it depends on is not applied yet", "look at that migration"
        ),
        "dependency_failed": Code(
            "a migration that it depends on failed", "look at that migration"
        ),
        "rolled_back": Code("it was rolled back", "`confmig retry ID` lets it run again"),
        "denied_by_window": Code("a deny window covers this time", "wait until it closes"),
        "no_window_configured": Code(
            "its class has no window in the policy", "add a window for the class"
        ),
        "outside_window": Code("no allow window of its class is open", "wait until one opens"),
        "approval_missing": Code("it needs an approval", "`confmig approve ID --reason TEXT`"),
        "approval_expired": Code("its approval has expired", "approve it again"),
        "approval_plan_mismatch": Code(
            "the migration or the policy changed after the approval", "approve it again"
        ),
    },
    "Why a migration runs": {
        "allowed_online": Code("its class is online, and no window denies it", ""),
        "allowed_in_window": Code("a window of its class is open", ""),
    },
    "Settings, policy and commands": {
        "usage": Code("the words of the command do not fit together", "add `--help`"),
        "settings_unreadable": Code(
            "the settings file does not exist or cannot be read", "name it with `--settings`"
        ),
        "settings_invalid": Code("the settings have a problem", _SETTINGS),
        "settings_untrusted": Code(
            "others can change the settings file", "take the right to write from them"
        ),
        "policy_untrusted": Code(
            "others can change the policy", "take the right to write from them"
        ),
        "target_unknown": Code(
            "no target of the settings has this name, or one must be named",
            "name a target with `--target`",
        ),
        "parameter_unknown": Code("the bundle has no such parameter", _SETTINGS),
        "time_invalid": Code("this is not a time", "write 2026-11-22T08:00:00Z, or 2h"),
        "ttl_invalid": Code("this is not a duration", "write a duration such as 24h"),
        "request_unknown": Code("the daemon has no such command", "use one release of confmig"),
        "request_invalid": Code("the daemon cannot use the request", "use one release of confmig"),
        "daemon_busy": Code("too many commands wait for the daemon", "ask again later"),
        "daemon_gone": Code(
            "the daemon ended before it answered; it may have done what was asked",
            "look with `confmig status`, then ask again if it is needed",
        ),
        "demo_failed": Code("the demonstration did not end as expected", "report its output"),
        "interrupted": Code("a signal ended the command", "run it again"),
        "bug": Code("an unexpected error in confmig; nothing is lost", "report this line"),
        "io_error": Code("the disk or the system refused a call", "check the disk, then run again"),
    },
    "Manifest": {
        "manifest_unreadable": Code("manifest.json does not exist or is not JSON", _MANIFEST),
        "manifest_invalid": Code("the bundle has problems", _MANIFEST),
        "manifest_empty": Code("the manifest lists no migration", "add the first migration"),
        "manifest_field_invalid": Code("a key or a value of the manifest is wrong", _MANIFEST),
        "migration_id_invalid": Code(
            "an id is not four digits, `_` and a name, or its number is not its order", _MANIFEST
        ),
        "migration_id_duplicate": Code("two migrations have one id", _MANIFEST),
        "migration_order_duplicate": Code("two migrations have one order", _MANIFEST),
        "migration_order_gap": Code("an order is missing", _MANIFEST),
        "migration_dependency_unknown": Code("a migration depends on an unknown one", _MANIFEST),
        "migration_dependency_order_invalid": Code(
            "a migration depends on one that does not come before it", _MANIFEST
        ),
        "migration_dependency_cycle": Code("migrations depend on each other", _MANIFEST),
        "migration_class_missing": Code("a migration has no class", _MANIFEST),
        "migration_class_invalid": Code("a class is unknown", _MANIFEST),
        "migration_class_order_invalid": Code(
            "an online migration depends on one of a later class", _MANIFEST
        ),
        "migration_version_gap": Code(
            "the versions of a configuration do not follow each other", _MANIFEST
        ),
        "migration_registry_missing": Code("a listed migration has no file", _MANIFEST),
        "migration_registry_orphan": Code("a file is not listed", _MANIFEST),
        "config_unknown": Code("a configuration is not in the manifest", _MANIFEST),
    },
    "Bundle": {
        "bundle_untrusted": Code(
            "others can change a file of the bundle", "take the right to write from them"
        ),
        "contract_invalid": Code(
            "contract.json has a problem", "`confmig schema contract` describes it"
        ),
        "schema_missing": Code("a schema that the contract names does not exist", "add it"),
        "schema_invalid": Code("a schema is not a JSON Schema", "correct the schema"),
        "schema_bump_without_migration": Code(
            "the contract has a version that no migration makes", "add the migration"
        ),
        "migration_file_invalid": Code(
            "a migration file is not a list of operations",
            "`confmig schema operations` describes it",
        ),
        "operation_invalid": Code(
            "an operation has a problem", "`confmig schema operations` describes every operation"
        ),
        "path_invalid": Code("a path of an operation is wrong", "correct the path"),
        "regex_invalid": Code("RE2 does not take the pattern", "correct the pattern"),
        "replacement_invalid": Code("the replacement does not fit the pattern", "correct it"),
        "replay_missing": Code("a migration has no whole replay fixture", "add the fixture"),
        "replay_failed": Code("a migration fails on its fixture", "correct one of the two"),
        "replay_differs": Code(
            "a migration gives another result than its fixture has",
            "correct the migration, or accept the result with `confmig check --update`",
        ),
        "samples_missing": Code("the bundle has no sample files", "add them and name them"),
        "migration_checksum_mismatch": Code(
            "a migration is not as it was summed, or not as it was applied",
            "run `confmig sum` for an intended change; `confmig resolve --accept-changed` accepts "
            "a changed history",
        ),
        "migration_applied_missing": Code(
            "an applied migration is not in the bundle", "use a bundle that has it"
        ),
        "migration_inserted_below_applied": Code(
            "a new migration comes before an applied one", "number it after all applied ones"
        ),
        "migration_unknown": Code("the bundle has no such migration", "name one of the bundle"),
        "bundle_needed": Code("this needs a valid bundle", "correct it; `confmig check` helps"),
        "format_unknown": Code("the format is not known", "name a known format"),
    },
    "Handlers": {
        "handler_missing": Code("a migration names a handler that does not exist", "add the file"),
        "handler_module_missing": Code(
            "a Python module that a handler needs is not installed", "install it"
        ),
        "handler_failed": Code("a handler raised an error", "correct the handler"),
        "handler_died": Code("a handler crashed, or needed too much memory", "correct the handler"),
        "handler_timeout": Code("a handler ran too long", "correct the handler"),
        "handler_not_deterministic": Code(
            "a handler gave two results for one document",
            "use `contract.derive()` for what must be random, and sort what has no order",
        ),
        "journal_invalid": Code("a handler changed a place that does not exist", "correct it"),
    },
    "Files": {
        "document_missing": Code("the file does not exist", "check the path"),
        "document_unreadable": Code("the file cannot be read", "let this user read it"),
        "document_emptied": Code("the file has no content, so it has no version", "restore it"),
        "document_newer": Code(
            "the file has a newer version than the bundle knows", "use a newer bundle"
        ),
        "document_below_floor": Code(
            "the file is older than the oldest migration of the bundle",
            "run the last release of the bundle that has these migrations first",
        ),
        "file_too_large": Code("the file is larger than the limit", "raise `limits.size`"),
        "name_not_utf8": Code("the name of the file is not UTF-8", "rename it"),
        "not_a_file": Code("it is not a regular file", "put a regular file there"),
        "symlink": Code("the file is a symbolic link", "put a regular file there"),
        "hard_link": Code("the file has several names", "put a file of one name there"),
        "setuid_file": Code("the file is setuid or setgid", "take these bits from it"),
        "capability_file": Code("the file has capabilities", "take them from it"),
        "foreign_owner": Code("the file belongs to another user", "run as that user"),
        "target_unreadable": Code("the directory cannot be read", "check its rights"),
        "target_is_mount": Code(
            "the file or directory is a mount of its own",
            "mount the directory above it, or set `mounted_files: rewrite`",
        ),
        "directory_is_root": Code(
            "`commit: directory` would exchange the root of the target",
            "set the root one directory higher, or `commit: files`",
        ),
        "directory_not_linkable": Code(
            "a file in the directory cannot get a second name", "set `commit: files`"
        ),
        "no_exchange": Code("the filesystem cannot exchange files", "use another filesystem"),
        "no_lease": Code("the file cannot be locked against writers", "run as its owner"),
        "file_exists": Code("the file exists already", "name another one"),
    },
    "Contents of files": {
        "not_utf8": Code("the file is not UTF-8", "save it as UTF-8"),
        "not_yaml": Code("the file is not YAML", _FILE),
        "not_json": Code("the file is not JSON", _FILE),
        "not_jsonc": Code("the file is not JSON with comments", _FILE),
        "not_json5": Code("the file is not JSON5", _FILE),
        "not_toml": Code("the file is not TOML", _FILE),
        "not_ini": Code("the file is not an INI file", _FILE),
        "not_properties": Code("the file is not a .properties file", _FILE),
        "not_dotenv": Code("the file is not a .env file", _FILE),
        "duplicate_key": Code("a key occurs twice", "leave one of the two"),
        "repeated_key": Code("a key that must be changed occurs more than once", "leave one"),
        "complex_key": Code("a key is a list, a mapping or an alias", _FILE),
        "multi_document": Code(
            "the file has several YAML documents", "set `multi_document`, or keep one document"
        ),
        "lone_carriage_return": Code("lines end in carriage returns alone", "convert them to LF"),
        "alias_undefined": Code("an alias has no anchor", _FILE),
        "alias_recursive": Code("an alias is inside its anchor", _FILE),
        "too_deep": Code("the nesting is too deep", "raise `limits.depth`, or flatten it"),
        "too_many_nodes": Code("the file has too many values", "raise `limits.nodes`"),
        "too_many_entries": Code("a list or mapping has too many entries", "split it"),
        "number_too_long": Code("a number has too many digits", "shorten it"),
        "readers_disagree": Code("two readers understand the file differently", _REPORT),
        "dialect_unclear": Code(
            "readers of this kind of file disagree about this place", "state it in manifest.json"
        ),
        "version_missing": Code(
            "the document has no version", "add it, or set `absent` in manifest.json"
        ),
        "version_invalid": Code(
            "the version is not a whole number", "write the version that the file has"
        ),
        "libyaml_missing": Code("PyYAML has no C extension", "install a PyYAML wheel"),
    },
    "What a migration cannot do with a document": {
        "wrong_type": Code("a value has another type than the operation needs", _MIGRATION),
        "manual_decision": Code("a person must decide", "change the file by hand, then run again"),
        "target_exists": Code("the target of a move exists already", "set `on_conflict`"),
        "validation_failed": Code("the result does not fit its schema", _MIGRATION),
        "item_missing": Code("the list item to insert behind does not exist", "set `if_missing`"),
        "not_keyed": Code("an item has no key of its own", _BY_HAND),
        "not_one_item": Code("a list does not have exactly one item", "set `many` or `empty`"),
        "not_convertible": Code("a value cannot be converted", _MIGRATION),
        "not_splittable": Code("a text cannot be split as the operation says", _MIGRATION),
        "hoist_others": Code("the mapping has other keys, too", "move them away first"),
        "text_too_long": Code("a text is too long to match or to make", _BY_HAND),
        "text_unencodable": Code("a text is not valid Unicode", _FILE),
        "not_idempotent": Code(
            "a migration would change its own result, and the files have no version",
            "write it so that a second run changes nothing",
        ),
        "unstamped_together": Code(
            "a file without a version is changed with others", "give it a version"
        ),
        "value_leaves_document": Code(
            "a value with an anchor, an alias or a tag cannot move to another file", _BY_HAND
        ),
        "alias_leaves_document": Code(
            "an anchor or alias would move to another document of the file", _BY_HAND
        ),
        "shared_node": Code("the value is used elsewhere through an alias", "set `allow_shared`"),
        "through_alias": Code("the path leads through an alias", _BY_HAND),
        "merge_key": Code("a migration must not write a merge key (`<<`)", _BY_HAND),
        "merge_only_key": Code("the key exists only through a merge key (`<<`)", _BY_HAND),
        "move_into_itself": Code("a value cannot move into itself", "correct the migration"),
        "tagged_value": Code("the value has a tag that the new value cannot keep", _BY_HAND),
        "value_unsupported": Code("the format cannot hold the value", _MIGRATION),
        "same_key": Code("readers take the new key for an existing one", "name that key"),
        "edits_overlap": Code("two changes touch the same text", "use several migrations"),
        "comment_lost": Code("a comment of an entry that stays would be lost", _BY_HAND),
        "anchored_move": Code("an anchored or tagged block value cannot move alone", _BY_HAND),
        "block_scalar_move": Code("a block text with a tag on its own line cannot move", _BY_HAND),
        "cannot_unindent": Code("a moved text has too little indentation", _BY_HAND),
        "flow_pair": Code("a pair without braces in a list cannot be edited", "add the braces"),
        "root_table": Code("TOML needs these pairs above every table", "put the table first"),
        "section_wrap": Code("an array of tables cannot be put into another table", _BY_HAND),
        "stream_structure": Code(
            "the documents of a YAML stream cannot be added, removed or reordered", _BY_HAND
        ),
        "verify_failed": Code("the edited text would not read back as intended", _REPORT),
    },
    "Transactions": {
        "partial_failure": Code(
            "a transaction changed only some of its files",
            "`confmig resolve TX --dry-run` shows each choice",
        ),
        "unfinished_transaction": Code(
            "an earlier transaction is not finished yet",
            "`confmig run --once` finishes or undoes it",
        ),
        "rewrite_failed": Code("a file may be half-written", _AGAIN),
        "undo_failed": Code("undoing a transaction failed", _AGAIN),
        "clean_up_failed": Code(
            "the transaction is committed, but temporary files remain", "run again"
        ),
        "fsync_failed": Code("the disk did not take the data", _AGAIN),
        "lock_held": Code("another confmig works on this target", "wait until it has ended"),
        "transaction_unknown": Code("there is no such transaction", "`confmig history` lists them"),
        "transaction_not_committed": Code(
            "the transaction was not committed", "choose one that was; see `confmig history`"
        ),
        "already_rolled_back": Code("the transaction was rolled back already", "nothing to do"),
        "nothing_to_roll_back": Code("nothing of the target can be rolled back", "nothing to do"),
        "rollback_conflict": Code(
            "later edits have no place in the old file",
            "put the edits aside, or use `--discard-later-edits`; the files are kept in rescue/",
        ),
        "chain_differs": Code(
            "the bundle does not give the same result as it did then",
            "use the release of the bundle that migrated the file",
        ),
        "checkpoint_pruned": Code("the checkpoint is not kept any more", "use a backup"),
        "checkpoint_unreadable": Code("the checkpoint cannot be read", "use another one"),
        "not_blocking": Code("the transaction does not block", "nothing to resolve"),
        "files_mixed": Code(
            "the files are neither all old nor all new", "choose another option of `resolve`"
        ),
        "values_lost": Code(
            "values would be in no file", "choose another option of `resolve`, or `--discard`"
        ),
        "nothing_changed": Code("no applied migration has changed", "nothing to accept"),
        "history_not_acceptable": Code("the history cannot be accepted", "correct the bundle"),
        "not_held": Code("the migration is not held", "`confmig status` shows what is held"),
        "version_unknown": Code("the bundle does not know this version", "name one it knows"),
        "journal_unreadable": Code(
            "the journal cannot be read", "keep the output of `migrate --json --show-values`"
        ),
        "journal_incomplete": Code(
            "the journal does not lead back to this version",
            "use the journal of the run that migrated the file",
        ),
    },
    "State": {
        "state_unreadable": Code("the state cannot be opened", _STATE),
        "state_untrusted": Code(
            "others can change the state directory", "take the right to write from them"
        ),
        "state_too_new": Code(
            "a newer confmig wrote the state", "use that confmig, or a newer one"
        ),
        "state_on_network": Code(
            "the state directory is on a network filesystem", "put it on a local disk"
        ),
        "state_write_failed": Code("the state did not take a commit", _AGAIN),
        "state_exists": Code("there is a state already", "move it away first"),
        "no_state": Code("there is no state yet", "run confmig first"),
        "backup_invalid": Code("the backup is damaged or is not one", "use another backup"),
        "object_missing": Code("an image is not in the state directory", _STATE),
        "object_corrupt": Code("an image does not match its hash", _STATE),
    },
}

CODES: Mapping[str, Code] = MappingProxyType(
    {code: meaning for section in SECTIONS.values() for code, meaning in section.items()}
)


def help_for(code: str) -> str:
    """What to do about a code; nothing for one that is not in the table."""
    known = CODES.get(code)
    return known.help if known is not None else ""
