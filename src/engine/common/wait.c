/*
 * wait.c
 *		Waiting for a record to change, and waking those who wait.
 *
 * The lock manager is the registry of waiters: each holds a share lock on a
 * LOCKTAG_USERLOCK made of the record's hash, which nobody ever takes
 * exclusively.  Whoever ends a record asks, right after changing it, who holds
 * that lock, and sets their latches at commit.  A waiter registers first and
 * reads the record then, so either the finisher finds the waiter, or the
 * waiter finds the open change and sleeps on its transaction.
 *
 * The transaction callback must not allocate, lock or raise: an error in it is
 * a PANIC of the server.  So it only walks a bitmap of a fixed size.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "engine/common/userlock.h"
#include "engine/common/wait.h"
#include "pg/attempt.h"
#include "pg/clock.h"
#include "pg/compat.h"
#include "store/blocker.h"

#define BITS_PER_WORD			64

/* a sleep on the latch ends at least so often, to look at the clock */
#define MAX_SLEEP_US			INT64CONST(1000000)

/* a locker of the row does not keep others from finishing it */
#define LOCKER_SLEEP_US			INT64CONST(100000)

/* on a standby nobody can wake us */
#define STANDBY_POLL_US			INT64CONST(20000)

typedef struct TransactionSleep
{
	TransactionId xid;
	int64		timeout_us;
} TransactionSleep;

/* the processes to wake at commit, one bit a backend */
static uint64 *to_wake;
static bool has_to_wake;

static void set_record_tag(LOCKTAG *tag, const IdemFamily *family, const text *key,
						   const text *scope);
static void on_transaction_end(XactEvent event, void *arg);
static void wake_marked(void);
static void mark(VirtualTransactionId holder);
static int	words_in_bitmap(void);
static void sleep_on_transaction(TransactionId xid, int64 timeout_us);
static void lock_transaction(void *argument);
static void sleep_on_latch(int64 timeout_us);
static long to_milliseconds(int64 us);

void
idem_wait_init(void)
{
	RegisterXactCallback(on_transaction_end, NULL);
}

static int
words_in_bitmap(void)
{
	return MaxBackends / BITS_PER_WORD + 1;
}

void
idem_wait_begin(IdemWaiter *waiter, const IdemFamily *family, const text *key,
				const text *scope, int64 timeout_us)
{
	waiter->family = family;
	waiter->key = key;
	waiter->scope = scope;
	waiter->is_registered = false;
	waiter->deadline_us = idem_clock_monotonic_us() + timeout_us;
}

/* two records with one hash only wake each other for nothing */
static void
set_record_tag(LOCKTAG *tag, const IdemFamily *family, const text *key, const text *scope)
{
	const char *name = family->table.name;
	uint64		hash = hash_bytes_extended((const unsigned char *) name, strlen(name), 0);

	idem_userlock_set_tag(tag, IDEM_LOCK_WAITER, hash, key, scope);
}

bool
idem_wait_sleep(IdemWaiter *waiter, TransactionId blocker, bool is_locker,
				int64 at_most_us)
{
	int64		left_us = waiter->deadline_us - idem_clock_monotonic_us();

	CHECK_FOR_INTERRUPTS();
	if (left_us <= 0)
		return false;
	left_us = Min(left_us, at_most_us);
	if (!waiter->is_registered)
	{
		set_record_tag(&waiter->tag, waiter->family, waiter->key, waiter->scope);
		(void) LockAcquire(&waiter->tag, ShareLock, false, false);
		waiter->is_registered = true;
		return true;
	}
	if (RecoveryInProgress())
		sleep_on_latch(Min(left_us, STANDBY_POLL_US));
	else if (TransactionIdIsValid(blocker))
		sleep_on_transaction(blocker, is_locker ? Min(left_us, LOCKER_SLEEP_US) : left_us);
	else
		sleep_on_latch(Min(left_us, MAX_SLEEP_US));
	return true;
}

void
idem_wait_end(IdemWaiter *waiter)
{
	if (waiter->is_registered)
		LockRelease(&waiter->tag, ShareLock, false);
	waiter->is_registered = false;
}

static void
sleep_on_transaction(TransactionId xid, int64 timeout_us)
{
	TransactionSleep sleep = {.xid = xid, .timeout_us = timeout_us};
	ErrorData  *error = idem_attempt(lock_transaction, &sleep);

	if (error != NULL && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
}

static void
lock_transaction(void *argument)
{
	TransactionSleep *sleep = argument;
	char		timeout[32];

	snprintf(timeout, sizeof(timeout), "%ld", to_milliseconds(sleep->timeout_us));
	(void) set_config_option("lock_timeout", timeout, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);

	idem_store_blocker_wait(sleep->xid);
}

/*
 * The latch was reset before the caller looked, or is reset now and the caller
 * looks again.
 */
static void
sleep_on_latch(int64 timeout_us)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 to_milliseconds(timeout_us), idem_compat_wait_event());
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* at least one: 0 would mean no sleep, or no timeout at all */
static long
to_milliseconds(int64 us)
{
	return Max(1, Min(us / 1000, INT_MAX));
}

void
idem_wait_wake(const IdemFamily *family, const text *key, const text *scope)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			n;
	int			i;

	set_record_tag(&tag, family, key, scope);
	holders = GetLockConflicts(&tag, ExclusiveLock, &n);
	for (i = 0; i < n; i++)
		mark(holders[i]);
	pfree(holders);
}

static void
mark(VirtualTransactionId holder)
{
	PGPROC	   *proc = idem_compat_lock_holder(holder);
	int			number;

	if (proc == NULL)
		return;
	number = idem_compat_proc_number(proc);
	if (number >= MaxBackends)
		return;
	if (to_wake == NULL)
		to_wake = MemoryContextAllocZero(TopMemoryContext,
										 words_in_bitmap() * sizeof(uint64));
	to_wake[number / BITS_PER_WORD] |= UINT64CONST(1) << (number % BITS_PER_WORD);
	has_to_wake = true;
}

static void
on_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			if (has_to_wake)
				wake_marked();
			pg_fallthrough;
		case XACT_EVENT_ABORT:
			if (has_to_wake)
				memset(to_wake, 0, words_in_bitmap() * sizeof(uint64));
			has_to_wake = false;
			break;
		default:
			break;
	}
}

/* a process that took the place of a waiter meanwhile only wakes for nothing */
static void
wake_marked(void)
{
	int			i;

	for (i = 0; i < MaxBackends; i++)
	{
		if (to_wake[i / BITS_PER_WORD] & (UINT64CONST(1) << (i % BITS_PER_WORD)))
			SetLatch(&ProcGlobal->allProcs[i].procLatch);
	}
}

void
idem_wait_lock_fingerprint(const text *fingerprint, const text *scope)
{
	LOCKTAG		tag;

	idem_userlock_set_tag(&tag, IDEM_LOCK_FINGERPRINT, 0, fingerprint, scope);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
idem_wait_unlock_fingerprint(const text *fingerprint, const text *scope)
{
	LOCKTAG		tag;

	idem_userlock_set_tag(&tag, IDEM_LOCK_FINGERPRINT, 0, fingerprint, scope);
	LockRelease(&tag, ExclusiveLock, false);
}
