/*
 * exact.c
 *		The log that remembers every request.
 */
#include "exact.h"

void
exact_clear(ExactLog *log)
{
	log->first = 0;
	log->end = 0;
}

void
exact_add(ExactLog *log, int64 at, int64 cost)
{
	if (log->end == EXACT_MAX_EVENTS)
	{
		int			n = log->end - log->first;

		if (n > EXACT_MAX_EVENTS / 2)
			abort();
		memmove(log->at, log->at + log->first, n * sizeof(int64));
		memmove(log->cost, log->cost + log->first, n * sizeof(int64));
		log->first = 0;
		log->end = n;
	}
	log->at[log->end] = at;
	log->cost[log->end] = cost;
	log->end++;
}

void
exact_drop(ExactLog *log, int64 instant)
{
	while (log->first < log->end && log->at[log->first] <= instant)
		log->first++;
}

int64
exact_count(const ExactLog *log, int64 instant)
{
	int64		sum = 0;
	int			i;

	for (i = log->end - 1; i >= log->first && log->at[i] > instant; i--)
		sum += log->cost[i];
	return sum;
}

int64
exact_last_to_leave(const ExactLog *log, int64 most)
{
	int64		sum = 0;
	int			i;

	for (i = log->end - 1; i >= log->first; i--)
	{
		sum += log->cost[i];
		if (sum > most)
			return log->at[i];
	}
	return PG_INT64_MIN;
}

void
exact_move_back(ExactLog *log, int64 by, int64 now)
{
	int			i;

	for (i = log->first; i < log->end; i++)
		log->at[i] = Min(log->at[i] - by, now);
}

int64
unit_of(int64 window)
{
	int64		unit = 1;

	while ((window - 1) / unit >= INT64CONST(4294967295))
		unit *= 2;
	return unit;
}
