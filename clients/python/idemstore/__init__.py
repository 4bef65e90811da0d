"""Calls of the PostgreSQL extension idemstore.

A function of the extension is a Call here: call(connection, acquire("api/42")), or
await acall(connection, …). run() does work once a key.
"""

from .caching import InProgressError, aget_or_create, get_or_create
from .calls import (
    MISS,
    Call,
    Done,
    Fetched,
    Job,
    LimitVerdict,
    Response,
    Verdict,
    acquire,
    acquire_all,
    acquire_many,
    assert_owner,
    cache_add,
    cache_clear,
    cache_delete,
    cache_delete_many,
    cache_fetch,
    cache_get,
    cache_get_many,
    cache_increment,
    cache_set,
    cache_touch,
    can_proceed,
    checkpoint,
    clear_cooldown,
    complete,
    consume,
    consume_many,
    dedupe_complete,
    dedupe_fail,
    dedupe_register_or_join,
    dedupe_wait_for,
    extend_lease,
    fail,
    fingerprint,
    forget,
    get_cooldown,
    get_value,
    invalidate_by_tags,
    rate_limit_reset,
    rate_limit_status,
    refund,
    release,
    set_cooldown,
    set_nx,
    set_value,
    start_processing,
)
from .drivers import acall, call
from .errors import (
    AlreadyFinalError,
    IdemstoreError,
    LostClaimError,
    NoLimitError,
    NotCompletedError,
    NotFoundError,
    TooLargeError,
    WaitTimeoutError,
)
from .gathering import Gathered
from .limiting import Limit, RateLimiter
from .sharding import Sharded, shard
from .work import (
    AsyncClaim,
    AsyncOutsideClaim,
    Claim,
    OutsideClaim,
    aidempotent,
    arun,
    arun_outside,
    idempotent,
    run,
    run_outside,
)

__version__ = "0.3.0"
__all__ = [name for name in dir() if not name.startswith("_")]
