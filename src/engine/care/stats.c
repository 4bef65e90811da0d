/*
 * stats.c
 *		What all have counted, to be looked at.
 */
#include "postgres.h"

#include "engine/care/stats.h"
#include "pg/clock.h"
#include "store/limits/limits.h"
#include "store/stats.h"

bool
idem_care_stats_reset(void)
{
	bool		was_counted = false;
	IdemSlots	slots;
	int			i;

	idem_count_flush();
	idem_count_forget();
	idem_store_stats_open(&slots, true);
	for (i = 0; i < IDEM_COUNTERS; i++)
	{
		was_counted |= idem_store_stats_get(&slots, idem_count_name(i)) != 0;
		idem_store_stats_put(&slots, idem_count_name(i), 0);
	}
	for (i = 0; i < IDEM_STATS_FAMILIES; i++)
		idem_store_stats_put(&slots, idem_count_expiry_name(i), 0);
	idem_store_stats_put(&slots, IDEM_COUNT_RESET_AT, idem_clock_now());
	idem_slots_close(&slots);
	return was_counted;
}

void
idem_care_stats_read(IdemStats *stats)
{
	IdemSlots	slots;
	int			i;

	memset(stats, 0, sizeof(IdemStats));
	if (!idem_store_stats_is_readable())
		return;
	idem_count_flush();
	stats->is_readable = true;
	idem_store_stats_open(&slots, false);
	for (i = 0; i < IDEM_COUNTERS; i++)
		stats->counts[i] = idem_store_stats_get(&slots, idem_count_name(i));
	for (i = 0; i < IDEM_STATS_FAMILIES; i++)
		stats->last_expiry[i] = idem_store_stats_get(&slots, idem_count_expiry_name(i));
	stats->reset_at = idem_store_stats_get(&slots, IDEM_COUNT_RESET_AT);
	idem_slots_close(&slots);
}

int
idem_care_stats_longest_chain(void)
{
	if (!idem_store_table_is_readable(&idem_store_limits_state))
		return 0;
	return idem_store_limits_longest_chain(&idem_store_limits_state);
}
