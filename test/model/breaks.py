"""Protections to take out, one at a time. Each is a place in the sources, found
by its text wherever it lies, and what stands there instead; what the checker
must find then. A text that is not there exactly once is an error: adapt it."""

from dataclasses import dataclass


@dataclass
class Break:
    name: str
    text: str
    instead: str
    finding: str


BREAKS = (
    Break(
        "the fence",
        "	if (!target->has_fence || target->fence == record->fence)\n		return;\n",
        "	if (target != NULL)\n		return;\n",
        "no stale fence is accepted",
    ),
    Break(
        "the mark of an invalidation",
        "		idem_store_marks_put(&marks, names[i], xid);\n",
        "		(void) xid;\n",
        "no value older than a committed invalidation, fenced",
    ),
    Break(
        "the search for who is storing",
        "	*inserter = search->dirty.xmin;\n	return true;\n",
        "	*inserter = search->dirty.xmin;\n	return false;\n",
        "no value older than a committed invalidation",
    ),
    Break(
        "the wake-up of waiters",
        "	for (i = 0; i < n; i++)\n		mark(holders[i]);\n",
        "	for (i = 0; i < n; i++)\n		(void) mark;\n",
        "a commit wakes who waits for it",
    ),
    Break(
        "the count of a window",
        "	return seen > PG_INT64_MAX ? PG_INT64_MAX : add_bounded(sum, other_sum);\n",
        "	return seen > PG_INT64_MAX ? PG_INT64_MAX : add_bounded(sum, other_sum) / 2;\n",
        "no window is above its quota",
    ),
)
