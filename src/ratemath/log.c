/*
 * log.c
 *		The sliding log: when requests came, in at most IDEM_MAX_RUNS runs.
 *
 * A run counts at its latest request, and an instant is rounded up to the
 * log's unit: requests may leave the window late, but never early, so that no
 * window ever holds more than was let in.  Only neighbours in one cell of an
 * absolute grid are merged, so late is less than a cell and a unit.
 *
 * Runs that have left the window may lie in a log until the next append.
 */
#include "postgres.h"

#include <math.h>

#include "ratemath/bounds.h"
#include "ratemath/log.h"

static bool move_back(IdemRunLog *log, int64 window, int64 now);
static bool change_window(IdemRunLog *log, int64 window, int64 now);
static void drop_oldest(IdemRunLog *log, int n);
static int	first_after(const IdemRunLog *log, int64 instant);
static void make_room(IdemRunLog *log, int64 at);
static int	cheapest_pair(const IdemRunLog *log, int64 at);
static int64 cell_of(int64 window);
static int64 round_up(int64 instant, int64 window);

/* the finest unit in which a window and a unit more fit into 32 bits */
int
idem_ratemath_log_shift(int64 window)
{
	int			shift = 0;

	while ((window - 1) >> shift >= PG_UINT32_MAX)
		shift++;
	return shift;
}

void
idem_ratemath_log_clear(IdemRunLog *log, int64 window)
{
	log->window = window;
	log->length = 0;
}

/* but not what lies behind its end */
void
idem_ratemath_log_copy(IdemRunLog *to, const IdemRunLog *from)
{
	to->window = from->window;
	to->length = from->length;
	memcpy(to->at, from->at, from->length * sizeof(int64));
	memcpy(to->count, from->count, from->length * sizeof(int64));
}

bool
idem_ratemath_log_settle(IdemRunLog *log, int64 window, int64 now)
{
	bool		is_moved = move_back(log, window, now);

	if (log->window == window)
		return is_moved;
	return change_window(log, window, now) || is_moved;
}

/*
 * All by the same span: what came within a window stays within a window.  In
 * the future is what is later than now by more than its own rounding, and its
 * rounding in the unit of the window to be.
 */
static bool
move_back(IdemRunLog *log, int64 window, int64 now)
{
	int64		newest;
	int64		ahead;
	int			i;

	if (log->length == 0)
		return false;
	newest = log->at[log->length - 1];
	if (newest <= now || newest <= round_up(now, log->window))
		return false;
	ahead = newest - round_up(now, window);
	if (ahead <= 0)
		return false;
	for (i = 0; i < log->length; i++)
		log->at[i] -= ahead;
	return true;
}

/*
 * A coarser unit may make two instants one.  A finer one may leave an instant
 * above now, where it came by rounding: none was really later than now.  That
 * depends on when it is found, so that it has to be kept.
 */
static bool
change_window(IdemRunLog *log, int64 window, int64 now)
{
	int64		latest = round_up(now, window);
	bool		is_cut = false;
	int			length = 0;
	int			i;

	for (i = 0; i < log->length; i++)
	{
		int64		at = round_up(log->at[i], window);

		is_cut |= at > latest;
		at = Min(at, latest);
		if (at <= now - window)
			continue;
		if (length > 0 && log->at[length - 1] == at)
			log->count[length - 1] = add_bounded(log->count[length - 1],
												 log->count[i]);
		else
		{
			log->at[length] = at;
			log->count[length] = log->count[i];
			length++;
		}
	}
	log->length = length;
	log->window = window;
	return is_cut;
}

void
idem_ratemath_log_append(IdemRunLog *log, int64 now, int64 count)
{
	int64		at = round_up(now, log->window);
	int			last;

	drop_oldest(log, first_after(log, now - log->window));
	if (log->length == IDEM_MAX_RUNS && log->at[log->length - 1] < at)
		make_room(log, at);
	last = log->length - 1;
	if (last >= 0 && log->at[last] >= at)
	{
		log->count[last] = add_bounded(log->count[last], count);
		return;
	}
	log->at[log->length] = at;
	log->count[log->length] = count;
	log->length++;
}

bool
idem_ratemath_log_refund(IdemRunLog *log, const IdemRateRefund *refund)
{
	int64		left = refund->cost;
	int			nempty = 0;

	if (refund->taken_at <= refund->now - log->window)
		return false;
	drop_oldest(log, first_after(log, refund->now - log->window));
	while (nempty < log->length && log->count[nempty] <= left)
		left -= log->count[nempty++];
	drop_oldest(log, nempty);
	if (log->length > 0)
	{
		log->count[0] -= left;
		left = 0;
	}
	return left < refund->cost;
}

static void
drop_oldest(IdemRunLog *log, int n)
{
	if (n == 0)
		return;
	log->length -= n;
	memmove(log->at, log->at + n, log->length * sizeof(int64));
	memmove(log->count, log->count + n, log->length * sizeof(int64));
}

/* The newest run tells at once whether the log is over. */
static int
first_after(const IdemRunLog *log, int64 instant)
{
	int			i = 0;

	if (log->length > 0 && log->at[log->length - 1] <= instant)
		return log->length;
	while (i < log->length && log->at[i] <= instant)
		i++;
	return i;
}

/*
 * Merge two runs of a full log for one that comes at this instant; or move the
 * last run there, so that it takes in what comes.
 */
static void
make_room(IdemRunLog *log, int64 at)
{
	int			i = cheapest_pair(log, at);
	int			behind = IDEM_MAX_RUNS - 1 - i;

	if (behind == 0)
	{
		log->at[i] = at;
		return;
	}
	log->count[i + 1] = add_bounded(log->count[i], log->count[i + 1]);
	memmove(log->at + i, log->at + i + 1, behind * sizeof(int64));
	memmove(log->count + i, log->count + i + 1, behind * sizeof(int64));
	log->length--;
}

/*
 * Of the pairs of neighbours in one cell, the one that loses the least: the
 * requests that move times how far.  The newest partner comes at an instant.
 * Of bytes that somebody made up, it may be any, but without a long search.
 */
static int
cheapest_pair(const IdemRunLog *log, int64 at)
{
	int64		cell = cell_of(log->window);
	int64		earlier = log->at[0];
	int64		cell_end = earlier - floor_mod(earlier, cell) + cell;
	double		least = INFINITY;
	int			cheapest = 0;
	int			cells = IDEM_MAX_RUNS;
	int			i;

	for (i = 0; i < IDEM_MAX_RUNS; i++)
	{
		int64		later = i < IDEM_MAX_RUNS - 1 ? log->at[i + 1] : at;

		if (later < cell_end)
		{
			double		loss = (double) log->count[i] * (double) (later - earlier);

			if (loss < least)
			{
				least = loss;
				cheapest = i;
			}
		}
		else
		{
			while (later >= cell_end && cells-- > 0)
				cell_end += cell;
		}
		earlier = later;
	}
	return cheapest;
}

/*
 * A full log and the run that comes, 65 instants within a window rounded up,
 * lie in at most 64 cells: two of them share one.
 */
static int64
cell_of(int64 window)
{
	int			shift = idem_ratemath_log_shift(window);
	int64		units = (window - 1 + ((INT64CONST(1) << shift) - 1)) >> shift;
	int64		cell = (units + IDEM_MAX_RUNS - 2) / (IDEM_MAX_RUNS - 1);

	return Max(cell, 1) << shift;
}

static int64
round_up(int64 instant, int64 window)
{
	int64		mask = (INT64CONST(1) << idem_ratemath_log_shift(window)) - 1;

	return (instant + mask) & ~mask;
}

void
idem_ratemath_log_merge(IdemRunLog *log, const IdemRunLog *other)
{
	IdemRunLog	mine;
	int			i = 0;
	int			j = 0;

	idem_ratemath_log_copy(&mine, log);
	idem_ratemath_log_clear(log, mine.window);
	while (i < mine.length || j < other->length)
	{
		if (j == other->length ||
			(i < mine.length && mine.at[i] <= other->at[j]))
		{
			idem_ratemath_log_append(log, mine.at[i], mine.count[i]);
			i++;
		}
		else
		{
			idem_ratemath_log_append(log, other->at[j], other->count[j]);
			j++;
		}
	}
}

void
idem_ratemath_log_coarsen(IdemRunLog *log)
{
	int			length = 0;
	int			i;

	if (log->length <= IDEM_MIN_RUNS)
		return;
	for (i = 0; i < log->length; i += 2)
	{
		int			last = Min(i + 1, log->length - 1);

		log->count[length] = last == i ? log->count[i] :
			add_bounded(log->count[i], log->count[last]);
		log->at[length++] = log->at[last];
	}
	log->length = length;
}

int64
idem_ratemath_log_count(const IdemRunLog *log, int64 now)
{
	return idem_ratemath_log_count_since(log, now - log->window);
}

/*
 * A sum that passes the range sets its highest bit before it can wrap, since
 * no count has it.  Two sums at a time are faster.
 */
int64
idem_ratemath_log_count_since(const IdemRunLog *log, int64 instant)
{
	int			first = first_after(log, instant);
	const int64 *count = log->count + first;
	int			n = log->length - first;
	uint64		sum = 0;
	uint64		other_sum = 0;
	uint64		seen = 0;

	for (; n >= 2; n -= 2)
	{
		sum += *count++;
		other_sum += *count++;
		seen |= sum | other_sum;
	}
	if (n > 0)
	{
		sum += *count;
		seen |= sum;
	}
	return seen > PG_INT64_MAX ? PG_INT64_MAX : add_bounded(sum, other_sum);
}

/*
 * Count back from the newest run: the first one that is too much has to leave,
 * with all before it.
 */
int64
idem_ratemath_log_wait(const IdemRunLog *log, const IdemRunLog *other, int64 now,
					   int64 most)
{
	int			i = log->length - 1;
	int			j = other ? other->length - 1 : -1;
	int64		sum = 0;

	while (i >= 0 || j >= 0)
	{
		bool		is_other = i < 0 || (j >= 0 && other->at[j] > log->at[i]);
		int64		at = is_other ? other->at[j] : log->at[i];

		if (at <= now - log->window)
			break;
		sum = add_bounded(sum, is_other ? other->count[j--] : log->count[i--]);
		if (sum > most)
			return log->window - (now - at);
	}
	return 0;
}

int64
idem_ratemath_log_empty_at(const IdemRunLog *log)
{
	if (log->length == 0)
		return PG_INT64_MIN;
	return add_bounded(log->at[log->length - 1], log->window);
}
