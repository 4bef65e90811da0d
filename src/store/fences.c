/*
 * fences.c
 *		The sequence that numbers the claims.
 *
 * It counts by one and is pulled to the real clock, in microseconds, where it
 * has fallen behind: by more than a second, or at all when a session draws its
 * first.  So it goes on above what a crash, a failover or a restore has lost,
 * and counts on by itself where the clock stands still or goes back.
 *
 * It is changed in place as nextval() does it, and logged ahead: a record of WAL
 * holds a number that is reached only later, and after each checkpoint comes
 * another one before the next change, so that replay never ends below what was
 * given.  nextval() itself would become the session's lastval(), which is the
 * application's, and could not be pulled without giving a number twice.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "pg/clock.h"
#include "pg/compat.h"
#include "store/fences.h"
#include "store/table.h"

/* how many numbers a record of WAL is ahead */
#define LOGGED_AHEAD	32

#define MAX_LAG_US		USECS_PER_SEC

/* the sequence while its page is locked */
typedef struct Counter
{
	Relation	rel;
	Buffer		buffer;
	Form_pg_sequence_data state;
} Counter;

/* where its page was last time, so that it need not be searched for */
static IdemRelFile last_file;
static Buffer last_buffer = InvalidBuffer;

static IdemTableInfo fences = {
	.kind = IDEM_TABLE_SEQUENCE,
	.name = "fences",
};

/* has this session drawn one? */
static bool has_drawn;

static void open_counter(Counter *counter);
static Buffer read_page(Relation rel);
static bool is_at_hand(void);
static Form_pg_sequence_data state_in(Buffer buffer);
static int64 floor_of(int64 last);
static bool is_logged_ahead(const Counter *counter, int64 fence);
static void set_logged(Counter *counter, int64 fence);

int64
idem_store_fences_next(int64 former)
{
	Counter		counter;
	int64		fence;

	/* under the SQL of 0.2.0, which counts by the clock alone */
	if (!idem_store_table_is_there(&fences))
		return Max(idem_clock_unix_us(idem_clock_recent()), former + 1);

	open_counter(&counter);
	fence = Max(floor_of(counter.state->last_value), former) + 1;
	if (is_logged_ahead(&counter, fence))
	{
		counter.state->last_value = fence;
		counter.state->log_cnt--;
		MarkBufferDirty(counter.buffer);
	}
	else
		set_logged(&counter, fence);
	UnlockReleaseBuffer(counter.buffer);
	relation_close(counter.rel, NoLock);
	has_drawn = true;
	return fence;
}

/* The relation stays locked to the end of the transaction, as nextval() leaves it. */
static void
open_counter(Counter *counter)
{
	counter->rel = idem_store_table_open_relation(&fences, RowExclusiveLock);
	counter->buffer = read_page(counter->rel);
	LockBuffer(counter->buffer, BUFFER_LOCK_EXCLUSIVE);
	counter->state = state_in(counter->buffer);
}

static Buffer
read_page(Relation rel)
{
	IdemRelFile file = idem_compat_rel_file(rel);

	if (memcmp(&file, &last_file, sizeof(file)) == 0 && is_at_hand())
		return last_buffer;
	last_file = file;
	last_buffer = ReadBuffer(rel, 0);
	return last_buffer;
}

/* Then it is pinned. */
static bool
is_at_hand(void)
{
	return BufferIsValid(last_buffer) &&
		ReadRecentBuffer(last_file, MAIN_FORKNUM, 0, last_buffer);
}

static Form_pg_sequence_data
state_in(Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	HeapTupleHeader tuple;

	tuple = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, FirstOffsetNumber));
	return (Form_pg_sequence_data) ((char *) tuple + tuple->t_hoff);
}

/* what the next number is to be larger than */
static int64
floor_of(int64 last)
{
	int64		now_us = idem_clock_unix_us(idem_clock_recent());

	if (has_drawn && last >= now_us - MAX_LAG_US)
		return last;
	return Max(last, now_us);
}

static bool
is_logged_ahead(const Counter *counter, int64 fence)
{
	return counter->state->log_cnt > 0 &&
		fence == counter->state->last_value + 1 &&
		PageGetLSN(BufferGetPage(counter->buffer)) > GetRedoRecPtr();
}

/*
 * As a whole page, which replay restores whatever it finds there.  A number that
 * is ahead of the clock is given to nobody before a crash would leave it behind.
 */
static void
set_logged(Counter *counter, int64 fence)
{
	XLogRecPtr	end = InvalidXLogRecPtr;

	START_CRIT_SECTION();
	counter->state->is_called = true;
	counter->state->log_cnt = 0;
	counter->state->last_value = fence + LOGGED_AHEAD;
	MarkBufferDirty(counter->buffer);
	if (RelationNeedsWAL(counter->rel))
		end = log_newpage_buffer(counter->buffer, true);
	counter->state->log_cnt = LOGGED_AHEAD;
	counter->state->last_value = fence;
	END_CRIT_SECTION();
	if (fence > idem_clock_unix_us(idem_clock_recent()) + 1)
		XLogFlush(end);
}

bool
idem_store_fences_is_last(int64 fence)
{
	bool		result;

	if (!is_at_hand())
		return false;
	LockBuffer(last_buffer, BUFFER_LOCK_SHARE);
	result = state_in(last_buffer)->last_value == fence;
	UnlockReleaseBuffer(last_buffer);
	return result;
}
