"""What is pending and what runs next is derived from the documents alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig.core.bundle.manifest import Manifest, Migration
from confmig.core.planning import forecast as forecasting
from confmig.core.planning import joint, segments
from confmig.core.planning.facts import DocumentFact, Observation, Observer, observation, placed
from confmig.core.planning.forecast import Outlook, Standing
from confmig.core.planning.segments import Segment
from confmig.core.policy import reasons
from confmig.core.policy.decide import Decision
from tests.core.builders import manifest, migration

CLASSES = ("online", "post_deploy", "manual_backfill")


def doc(
    version: int | None, path: str = "a", config: str = "app", problem: str | None = None
) -> DocumentFact:
    return DocumentFact(config, path, version, f"digest-{path}", problem)


def seen(bundle: Manifest, documents: Sequence[DocumentFact]) -> tuple[Observation, Observation]:
    """The documents with the facts of all, and as a pass observes them."""
    observer = Observer(bundle)
    for document in sorted(documents, key=lambda d: d.path):
        observer.add(document, changed=False)
    return observation(bundle, documents), observer.result()


def standings(bundle: Manifest, documents: Sequence[DocumentFact]) -> list[Standing]:
    full, few = seen(bundle, documents)
    assert forecasting.standings(bundle, few) == forecasting.standings(bundle, full)
    return forecasting.standings(bundle, few)


def next_segment(
    bundle: Manifest,
    documents: Sequence[DocumentFact],
    allowed: Callable[[Migration], bool],
    excluded: frozenset[str] = frozenset(),
) -> Segment | None:
    found = [segments.next_segment(bundle, o, allowed, excluded) for o in seen(bundle, documents)]
    assert found[0] == found[1]
    return found[0]


def misfit(
    wanted: Migration, documents: Sequence[DocumentFact], bundle: Manifest | None = None
) -> str | None:
    found = [joint.misfit(wanted, o) for o in seen(bundle or manifest(wanted), documents)]
    assert found[0] == found[1]
    return found[0]


def forecast(
    bundle: Manifest,
    documents: Sequence[DocumentFact],
    decide: Callable[[Migration, tuple[str, ...]], Decision],
) -> list[Outlook]:
    found = [forecasting.forecast(bundle, o, decide) for o in seen(bundle, documents)]
    assert found[0] == found[1]
    return found[0]


def always(_: Migration) -> bool:
    return True


def only(*orders: int) -> Callable[[Migration], bool]:
    return lambda m: m.order in orders


def steps(segment: Segment | None) -> dict[str, list[int]]:
    assert segment is not None
    return {path: [m.order for m in chain] for path, chain in segment.steps.items()}


def chain(*kinds: str) -> Manifest:
    return manifest(*(migration(n, kind) for n, kind in enumerate(kinds, 1)))


# --- standings


@pytest.mark.parametrize(
    ("documents", "wanted"),
    [
        ([], [("no_documents", (), ()), ("no_documents", (), ())]),
        ([doc(0)], [("pending", ("a",), ()), ("pending", ("a",), ())]),
        ([doc(1)], [("applied", (), ()), ("pending", ("a",), ())]),
        ([doc(2)], [("applied", (), ()), ("applied", (), ())]),
        ([doc(2), doc(0, "b")], [("pending", ("b",), ()), ("pending", ("b",), ())]),
        ([doc(2), doc(None, "b")], [("applied", (), ("b",)), ("applied", (), ("b",))]),
        (
            [doc(1), doc(5, "b", problem="document_newer")],
            [("applied", (), ("b",)), ("pending", ("a",), ("b",))],
        ),
        ([doc(0, config="other")], [("no_documents", (), ()), ("no_documents", (), ())]),
    ],
)
def test_the_status_of_a_migration_is_derived_from_its_documents(
    documents: list[DocumentFact], wanted: list[tuple[str, tuple[str, ...], tuple[str, ...]]]
) -> None:
    got = standings(chain("online", "online"), documents)
    assert [(s.status, s.pending, s.failed) for s in got] == wanted
    assert [s.migration.order for s in got] == [1, 2]


def test_a_document_of_another_configuration_does_not_count() -> None:
    both = manifest(migration(1), migration(2, config="other", version=1))
    got = standings(both, [doc(0), doc(1, "o", "other")])
    assert [(s.status, s.pending) for s in got] == [("pending", ("a",)), ("applied", ())]


# --- next_segment


def test_one_segment_ends_where_the_class_changes() -> None:
    kinds = chain("online", "online", "post_deploy", "online")
    assert steps(next_segment(kinds, [doc(0)], always)) == {"a": [1, 2]}
    assert steps(next_segment(kinds, [doc(2)], always)) == {"a": [3]}
    assert steps(next_segment(kinds, [doc(3)], always)) == {"a": [4]}
    assert next_segment(kinds, [doc(4)], always) is None


def test_documents_at_mixed_versions_each_take_their_own_prefix() -> None:
    got = next_segment(chain(*["online"] * 4), [doc(0), doc(2, "b"), doc(4, "c")], always)
    assert steps(got) == {"a": [1, 2, 3, 4], "b": [3, 4]}
    assert got is not None
    assert [m.order for m in got.migrations] == [1, 2, 3, 4]


def test_a_document_beyond_another_class_joins_the_segment_of_its_class() -> None:
    kinds = chain("online", "post_deploy", "online")
    assert steps(next_segment(kinds, [doc(0), doc(2, "b")], always)) == {"a": [1], "b": [3]}


def test_the_class_is_that_of_the_first_migration_some_document_may_take() -> None:
    kinds = chain("post_deploy", "online")
    got = next_segment(kinds, [doc(0), doc(1, "b")], always)
    assert got is not None
    assert got.kind == "post_deploy"
    assert steps(got) == {"a": [1]}


def test_a_held_migration_holds_those_behind_it_in_the_same_document_only() -> None:
    kinds = chain("online", "online", "online")
    got = next_segment(kinds, [doc(0), doc(1, "b"), doc(2, "c")], only(1, 3))
    assert steps(got) == {"a": [1], "c": [3]}
    assert next_segment(kinds, [doc(1)], only(1, 3)) is None


def test_a_late_arrival_is_caught_up() -> None:
    kinds = chain("online", "post_deploy", "online")
    documents = [doc(3), doc(0, "late")]
    assert steps(next_segment(kinds, documents, always)) == {"late": [1]}
    documents = [doc(3), doc(1, "late")]
    assert steps(next_segment(kinds, documents, always)) == {"late": [2]}


def test_broken_and_excluded_documents_are_left_out_and_hold_nobody_else() -> None:
    kinds = chain("online", "online")
    documents = [doc(None), doc(0, "b"), doc(0, "c"), doc(0, "d", problem="document_failed")]
    assert steps(next_segment(kinds, documents, always, frozenset(["c"]))) == {"b": [1, 2]}
    assert next_segment(kinds, [doc(0)], always, frozenset(["a"])) is None


def two(kind_of_second: str = "online") -> Manifest:
    return manifest(
        migration(1, "online", config="x", version=1),
        migration(2, kind_of_second, config="y", version=1, depends_on=("0001_m",)),
    )


def test_a_dependency_across_configurations_must_be_reached_by_every_document() -> None:
    documents = [doc(1, "x1", "x"), doc(0, "x2", "x"), doc(0, "y1", "y")]
    assert next_segment(two(), documents, only(2)) is None
    ready = [doc(1, "x1", "x"), doc(1, "x2", "x"), doc(0, "y1", "y")]
    assert steps(next_segment(two(), ready, only(2))) == {"y1": [2]}


def test_a_dependency_of_the_same_class_is_met_within_the_segment() -> None:
    documents = [doc(0, "x1", "x"), doc(0, "y1", "y")]
    assert steps(next_segment(two(), documents, always)) == {"x1": [1], "y1": [2]}


def test_a_dependency_of_an_earlier_class_is_another_transaction() -> None:
    documents = [doc(0, "x1", "x"), doc(0, "y1", "y")]
    assert steps(next_segment(two("post_deploy"), documents, always)) == {"x1": [1]}


KINDS = st.lists(st.sampled_from(CLASSES), min_size=1, max_size=6)
VERSIONS = st.lists(st.integers(0, 6), min_size=1, max_size=4)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(KINDS, VERSIONS, st.sets(st.integers(1, 6)))
def test_a_segment_is_each_documents_longest_allowed_prefix_of_one_class(
    kinds: list[str], versions: list[int], yes: set[int]
) -> None:
    documents = [doc(v, f"d{n}") for n, v in enumerate(versions) if v <= len(kinds)]
    startable = sorted(
        {d.version + 1 for d in documents if d.version is not None and d.version + 1 in yes}
        & set(range(1, len(kinds) + 1))
    )
    got = next_segment(chain(*kinds), documents, only(*yes))
    if not startable:
        assert got is None
        return
    kind = kinds[startable[0] - 1]
    wanted: dict[str, list[int]] = {}
    for d in documents:
        assert d.version is not None
        at = d.version + 1
        while at <= len(kinds) and at in yes and kinds[at - 1] == kind:
            wanted.setdefault(d.path, []).append(at)
            at += 1
    assert got is not None
    assert got.kind == kind
    assert steps(got) == wanted


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.sampled_from(CLASSES), st.sets(st.integers(1, 8))),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 8)), min_size=1, max_size=5),
)
def test_if_all_is_allowed_every_document_reaches_the_end_in_order_and_after_its_dependencies(
    entries: list[tuple[str, str, set[int]]], places: list[tuple[str, int]]
) -> None:
    made: list[Migration] = []
    for order, (config, kind, depends) in enumerate(entries, 1):
        version = sum(1 for m in made if config in m.sets) + 1
        names = tuple(f"{d:04d}_m" for d in sorted(depends) if d < order)
        made.append(migration(order, kind, config=config, version=version, depends_on=names))
    book = manifest(*made)
    top = {config: len(book.chain(config)) for config, _ in places}
    at = {f"{c}{n}": (c, min(v, top[c])) for n, (c, v) in enumerate(places)}
    for _ in range(len(entries) * len(places) + 1):
        segment = next_segment(book, [doc(v, p, c) for p, (c, v) in at.items()], always)
        if segment is None:
            break
        for step in segment.migrations:
            assert step.kind == segment.kind
            for name in step.depends_on:
                need = book.by_id[name]
                assert all(v >= need.sets[c] for c, v in at.values() if c in need.sets)
            for path, mine in segment.steps.items():
                if step in mine:
                    config, version = at[path]
                    assert version == step.sets[config] - 1
                    at[path] = (config, step.sets[config])
    assert {p: v for p, (_, v) in at.items()} == {p: top[c] for p, (c, _) in at.items()}


# --- forecast


def answers(
    held: dict[int, str],
) -> Callable[[Migration, tuple[str, ...]], Decision]:
    """A gate that holds some orders for a reason, and everything that inherited one."""

    def decide(one: Migration, inherited: tuple[str, ...]) -> Decision:
        found = [*inherited, *([held[one.order]] if one.order in held else [])]
        if not found:
            return Decision("allow", "allowed_online", ("allowed_online",))
        ranked = reasons.ranked(found)
        return Decision("hold", ranked[0], ranked)

    return decide


def test_a_forecast_names_only_what_is_pending_in_order() -> None:
    got = forecast(chain(*["online"] * 4), [doc(2)], answers({}))
    assert [(o.standing.migration.order, o.runs) for o in got] == [(3, True), (4, True)]


def test_a_migration_behind_a_held_one_waits_with_the_reasons_of_what_it_waits_for() -> None:
    got = forecast(chain(*["online"] * 3), [doc(0)], answers({2: "outside_window"}))
    assert [o.runs for o in got] == [True, False, False]
    assert got[1].decision.reasons == ("outside_window",)
    assert got[2].decision.reasons == ("dependency_pending", "outside_window")


def test_a_migration_behind_a_failed_one_says_that_its_dependency_failed() -> None:
    got = forecast(chain(*["online"] * 3), [doc(0)], answers({1: "document_failed"}))
    assert got[0].decision.reasons == ("document_failed",)
    for later in got[1:]:
        assert later.decision.reasons == ("dependency_pending", "dependency_failed")


def test_a_declared_dependency_holds_across_configurations_and_nothing_else_does() -> None:
    book = manifest(
        migration(1, config="x", version=1),
        migration(2, config="y", version=1, depends_on=("0001_m",)),
        migration(3, config="z", version=1),
    )
    documents = [doc(0, c, c) for c in "xyz"]
    got = forecast(book, documents, answers({1: "approval_missing"}))
    assert [o.runs for o in got] == [False, False, True]
    assert got[1].decision.reasons == ("dependency_pending", "approval_missing")


def test_an_applied_dependency_holds_nobody() -> None:
    book = two()
    got = forecast(book, [doc(1, "x1", "x"), doc(0, "y1", "y")], answers({}))
    assert [(o.standing.migration.order, o.runs) for o in got] == [(2, True)]


@settings(derandomize=True, deadline=None, max_examples=100)
@given(KINDS, st.integers(0, 6), st.sets(st.integers(1, 6)))
def test_for_documents_at_one_version_a_pass_does_exactly_what_was_forecast(
    kinds: list[str], version: int, no: set[int]
) -> None:
    book = chain(*kinds)
    at = min(version, len(kinds))
    gate = answers(dict.fromkeys(no, "outside_window"))
    promised = [
        o.standing.migration.order for o in forecast(book, [doc(at), doc(at, "b")], gate) if o.runs
    ]
    done: list[int] = []
    while segment := next_segment(book, [doc(at), doc(at, "b")], lambda m: m.order not in no):
        done.extend(m.order for m in segment.migrations)
        at = segment.migrations[-1].sets["app"]
    assert done == promised


# --- placed

PLACES = manifest(*(migration(n, version=n + 2) for n in range(1, 4)))  # versions 3, 4, 5


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        (0, "document_below_floor"),
        (1, "document_below_floor"),
        (2, None),
        (3, None),
        (5, None),
        (6, "document_newer"),
        (99, "document_newer"),
    ],
)
def test_a_version_outside_the_chain_is_a_problem(version: int, problem: str | None) -> None:
    got = placed(PLACES, doc(version))
    assert got.problem == problem
    assert got.healthy is (problem is None)
    assert (got.config, got.path, got.version, got.digest) == ("app", "a", version, "digest-a")
    assert (str(version) in got.message) is (problem is not None)


def test_a_document_that_has_a_problem_already_keeps_it() -> None:
    broken = doc(None, problem="document_unreadable")
    assert placed(PLACES, broken) == broken
    other = doc(99, problem="config_ambiguous")
    assert placed(PLACES, other) == other


def test_a_misplaced_document_is_never_part_of_a_segment() -> None:
    documents = [placed(PLACES, doc(v, f"v{v}")) for v in (0, 2, 6)]
    assert steps(next_segment(PLACES, documents, always)) == {"v2": [1, 2, 3]}


def test_a_document_that_is_not_behind_a_held_migration_goes_on_alone() -> None:
    """m1 is held for a; b has it already, so m2 may run on b, and a waits with m1's reason."""
    first = migration(1, kind="post_deploy")
    second = migration(2)
    bundle = manifest(first, second)
    documents = [DocumentFact("app", "a", 0, ""), DocumentFact("app", "b", 1, "")]

    def gate(m: Migration, inherited: tuple[str, ...]) -> Decision:
        reasons = (*(("outside_window",) if m is first else ()), *inherited)
        if reasons:
            return Decision("hold", reasons[0], reasons)
        return Decision("allow", "allowed_online", ("allowed_online",))

    outlook = forecast(bundle, documents, gate)
    assert [o.runs for o in outlook] == [False, True]
    alone = forecast(bundle, documents[:1], gate)
    assert [o.runs for o in alone] == [False, False]
    assert "outside_window" in alone[1].decision.reasons


# --- migrations over several configurations


def common(order: int, kind: str = "online", /, **sets: int) -> Migration:
    """A migration that sets several configurations."""
    return replace(migration(order, kind), sets=sets)


PAIR = manifest(common(1, x=1, y=1), common(2, x=2, y=2))
BEHIND = manifest(
    migration(1, config="x", version=1),
    migration(2, config="x", version=2),
    common(3, x=3, y=1),
    migration(4, config="y", version=2),
)


def at(**versions: int | None) -> list[DocumentFact]:
    """A document of each configuration, with its name; None is one that cannot be read."""
    return [
        doc(v, name, name[0], None if v is not None else "document_unreadable")
        for name, v in versions.items()
    ]


def test_a_common_step_is_taken_by_all_its_documents_and_binds_them() -> None:
    got = next_segment(PAIR, at(x=0, y=0), always)
    assert steps(got) == {"x": [1, 2], "y": [1, 2]}
    assert got is not None
    assert [m.order for m in got.migrations] == [1, 2]
    assert [sorted(g) for g in got.groups] == [["x", "y"]]
    assert got.configs == {"x": "x", "y": "y"}


def test_a_document_that_is_behind_catches_up_in_the_same_segment() -> None:
    got = next_segment(BEHIND, at(x=0, y=0), always)
    assert steps(got) == {"x": [1, 2, 3], "y": [3, 4]}
    assert got is not None
    assert [sorted(g) for g in got.groups] == [["x", "y"]]


def test_steps_of_one_configuration_bind_nobody() -> None:
    book = manifest(migration(1, config="x", version=1), migration(2, config="y", version=1))
    got = next_segment(book, at(x=0, y=0), always)
    assert got is not None
    assert sorted(got.groups) == [("x",), ("y",)]


def test_common_steps_with_one_configuration_in_common_bind_all_three() -> None:
    book = manifest(
        common(1, x=1, y=1),
        common(2, y=2, z=1),
        migration(3, config="w", version=1),
    )
    got = next_segment(book, at(w1=0, w2=0, x=0, y=0, z=0), always)
    assert got is not None
    assert steps(got) == {"w1": [3], "w2": [3], "x": [1], "y": [1, 2], "z": [2]}
    assert sorted(sorted(g) for g in got.groups) == [["w1"], ["w2"], ["x", "y", "z"]]


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        (at(x=0), "config_ambiguous"),
        (at(y=0), "config_ambiguous"),
        (at(x=0, x2=0), "config_ambiguous"),
        (at(x=0, x2=0, y=0), "config_ambiguous"),
        (at(x=0, y=0, y2=1), "config_ambiguous"),
        (at(x=0, y=0, y2=None), "config_ambiguous"),
        (at(x=1, y=0), "documents_out_of_step"),
        (at(x=0, y=1), "documents_out_of_step"),
        (at(x=0, y=2), "documents_out_of_step"),
        (at(x=0, y=None), "document_failed"),
        (at(x=None, y=0), "document_failed"),
        ([*at(x=0), doc(9, "y", "y", "document_newer")], "document_failed"),
    ],
)
def test_a_common_step_that_its_documents_cannot_take_is_held_and_says_why(
    documents: list[DocumentFact], reason: str
) -> None:
    assert misfit(PAIR.migrations[0], documents) == reason
    assert next_segment(PAIR, documents, always) is None
    first = forecast(PAIR, documents, answers({}))[0]
    assert not first.runs
    assert reason in first.decision.reasons


@pytest.mark.parametrize("documents", [at(x=0, y=0), at(x=0, y=0, z=None), at(x=0, y=0, z=0, z2=5)])
def test_documents_that_fit_have_no_reason(documents: list[DocumentFact]) -> None:
    assert misfit(PAIR.migrations[0], documents) is None


@pytest.mark.parametrize("documents", [[], at(x=None), at(x=0, x2=3), at(x=0, y=0)])
def test_a_step_of_one_configuration_never_misfits(documents: list[DocumentFact]) -> None:
    assert misfit(migration(1, config="x", version=1), documents) is None


def test_a_document_that_is_behind_earlier_steps_is_not_out_of_step() -> None:
    for x in (0, 1, 2):
        assert misfit(BEHIND.migrations[2], at(x=x, y=0)) is None
    assert misfit(BEHIND.migrations[2], at(x=3, y=0)) == "documents_out_of_step"
    assert misfit(BEHIND.migrations[2], at(x=0, y=2)) == "documents_out_of_step"


def test_an_excluded_partner_holds_a_common_step_and_nothing_else() -> None:
    got = next_segment(BEHIND, at(x=0, y=0), always, frozenset(["y"]))
    assert steps(got) == {"x": [1, 2]}
    assert next_segment(PAIR, at(x=0, y=0), always, frozenset(["y"])) is None


def test_what_is_not_bound_goes_on_while_a_common_step_is_held() -> None:
    book = manifest(
        common(1, x=1, y=1),
        migration(2, config="z", version=1),
        migration(3, config="x", version=2),
    )
    documents = at(x=0, y=None, z=0)
    assert steps(next_segment(book, documents, always)) == {"z": [2]}
    got = forecast(book, documents, answers({}))
    assert {o.standing.migration.order: o.runs for o in got} == {1: False, 2: True, 3: False}
    assert "dependency_pending" in got[2].decision.reasons


def test_documents_beyond_a_common_step_need_no_partner() -> None:
    book = manifest(common(1, x=1, y=1), migration(2, config="x", version=2))
    documents = at(x=1, x2=1, y=1)
    assert steps(next_segment(book, documents, always)) == {"x": [2], "x2": [2]}
    got = forecast(book, documents, answers({}))
    assert [(o.standing.migration.order, o.runs) for o in got] == [(2, True)]


def test_a_common_step_behind_a_held_one_of_one_configuration_waits_with_its_reason() -> None:
    got = forecast(BEHIND, at(x=0, y=0), answers({2: "outside_window"}))
    assert [o.runs for o in got] == [True, False, False, False]
    for later in got[2:]:
        assert later.decision.reasons == ("dependency_pending", "outside_window")
    assert steps(next_segment(BEHIND, at(x=0, y=0), only(1, 3, 4))) == {"x": [1]}


def test_a_common_step_waits_though_one_of_its_documents_is_beyond_the_held_one() -> None:
    """x has had 2 already, and the second x would have to take it: the common one cannot run."""
    got = forecast(BEHIND, at(x=0, x2=2, y=0), answers({1: "outside_window"}))
    assert not any(o.runs for o in got if o.standing.migration.order >= 3)


def test_a_common_step_has_a_class_of_its_own() -> None:
    book = manifest(
        migration(1, config="x", version=1),
        common(2, "post_deploy", x=2, y=1),
        migration(3, config="z", version=1),
    )
    documents = at(x=0, y=0, z=0)
    assert steps(next_segment(book, documents, always)) == {"x": [1], "z": [3]}
    later = at(x=1, y=0, z=1)
    assert steps(next_segment(book, later, always)) == {"x": [2], "y": [2]}


def test_a_dependency_on_a_common_step_needs_all_its_documents() -> None:
    book = manifest(
        common(1, x=1, y=1),
        replace(migration(2, config="z", version=1), depends_on=("0001_m",)),
    )
    assert next_segment(book, at(x=0, y=0, z=0), only(2)) is None
    assert next_segment(book, at(x=1, y=0, z=0), only(2)) is None
    assert steps(next_segment(book, at(x=1, y=1, z=0), only(2))) == {"z": [2]}
    assert steps(next_segment(book, at(x=0, y=0, z=0), always)) == {"x": [1], "y": [1], "z": [2]}


def test_the_standing_of_a_common_step_names_the_documents_of_all_its_configurations() -> None:
    [first, second] = standings(PAIR, at(x=1, y=1))
    assert (first.status, second.status) == ("applied", "pending")
    assert sorted(second.pending) == ["x", "y"]
    [first, _] = standings(PAIR, at(x=1, y=0))
    assert (first.status, first.pending) == ("pending", ("y",))
    assert [s.status for s in standings(PAIR, [])] == ["no_documents", "no_documents"]
    [first, _] = standings(PAIR, at(x=0, y=None))
    assert (first.status, first.pending, first.failed) == ("pending", ("x",), ("y",))


@settings(derandomize=True, deadline=None, max_examples=120)
@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from("xyz"), min_size=1), st.sampled_from(CLASSES)),
        min_size=1,
        max_size=7,
    ),
    st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 7)), min_size=1, max_size=4),
    st.sets(st.integers(1, 7), max_size=2),
)
def test_a_common_step_is_taken_by_one_document_of_each_or_by_none(
    entries: list[tuple[set[str], str]], places: list[tuple[str, int]], no: set[int]
) -> None:
    top = dict.fromkeys("xyz", 0)
    made = []
    for order, (names, kind) in enumerate(entries, 1):
        for name in names:
            top[name] += 1
        made.append(replace(migration(order, kind), sets={n: top[n] for n in sorted(names)}))
    book = manifest(*made)
    here = {f"{c}{n}": (c, min(v, top[c])) for n, (c, v) in enumerate(places) if top[c]}
    for _ in range(len(entries) * 4 + 1):
        segment = next_segment(
            book, [doc(v, p, c) for p, (c, v) in here.items()], lambda m: m.order not in no
        )
        if segment is None:
            break
        assert segment.steps
        for one in segment.migrations:
            takers = [p for p, mine in segment.steps.items() if one in mine]
            assert one.order not in no
            if one.joint:
                assert sorted(here[p][0] for p in takers) == sorted(one.sets)
                assert sum(c in one.sets for c, _ in here.values()) == len(one.sets)
                assert any(set(takers) <= set(g) for g in segment.groups)
            for path in takers:
                config, version = here[path]
                assert version == one.sets[config] - 1
                here[path] = (config, version + 1)
        assert sorted(p for g in segment.groups for p in g) == sorted(segment.steps)
    else:
        raise AssertionError("it does not end")
