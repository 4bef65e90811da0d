/*
 * answer.c
 *		What the limits that hold for a call say of it, together.
 */
#include "postgres.h"

#include "engine/common/count.h"
#include "engine/limits/answer.h"

StaticAssertDecl(IDEM_COUNT_ALLOWED + IDEM_RATE_SHADOW == IDEM_COUNT_SHADOW,
				 "requests are counted in the order of IdemRateReason");

static void admit_shadow(IdemRateVerdict *verdict);
static bool is_permanent(IdemRateReason reason);
static int	find_longest_denial(const IdemRateWork *work);
static int	find_tightest(const IdemRateWork *work);
static bool is_tighter(const IdemRateVerdict *a, const IdemRateVerdict *b);
static IdemRateReason reason_of(const IdemRateWork *work);

/* Where several deny, the wait must be long enough for all. */
void
idem_limits_answer_sum(const IdemRateWork *work, IdemRateAnswer *answer)
{
	int			denial = find_longest_denial(work);
	bool		has_cooldown = work->now < work->cooldown;
	bool		is_shadow = denial < 0 && !has_cooldown && work->shadow >= 0;
	IdemRateVerdict *verdict = &answer->verdict;

	idem_limits_answer_one(work, denial >= 0 ? denial : is_shadow ? work->shadow : find_tightest(work),
						   answer);
	if (is_shadow)
		admit_shadow(verdict);
	if (!has_cooldown)
		return;
	verdict->is_allowed = false;
	if (denial < 0)
		verdict->retry_after = 0;
	if (denial < 0 || !is_permanent(verdict->reason))
		verdict->reason = IDEM_RATE_COOLDOWN;
	verdict->retry_after = Max(verdict->retry_after, work->cooldown - work->now);
}

void
idem_limits_answer_one(const IdemRateWork *work, int i, IdemRateAnswer *answer)
{
	answer->policy = work->logs[i].policy;
	answer->decided_at = work->now;
	answer->verdict = work->verdicts[i];
	if (!work->logs[i].is_enforced && !answer->verdict.is_allowed)
		admit_shadow(&answer->verdict);
}

static void
admit_shadow(IdemRateVerdict *verdict)
{
	verdict->is_allowed = true;
	verdict->reason = IDEM_RATE_SHADOW;
	verdict->retry_after = 0;
}

/* what no waiting changes is the better reason */
static bool
is_permanent(IdemRateReason reason)
{
	return reason == IDEM_RATE_QUOTA_ZERO || reason == IDEM_RATE_COST_EXCEEDS_QUOTA;
}

/* of those that are enforced, or -1 */
static int
find_longest_denial(const IdemRateWork *work)
{
	int			found = -1;
	int			i;

	for (i = 0; i < work->nlogs; i++)
	{
		const IdemRateVerdict *verdict = &work->verdicts[i];

		if (!verdict->is_allowed && work->logs[i].is_enforced &&
			(found < 0 || verdict->retry_after > work->verdicts[found].retry_after))
			found = i;
	}
	return found;
}

/* of those that are enforced, if there is any */
static int
find_tightest(const IdemRateWork *work)
{
	int			found = 0;
	int			i;

	for (i = 1; i < work->nlogs; i++)
	{
		bool		is_enforced = work->logs[i].is_enforced;

		if (is_enforced != work->logs[found].is_enforced ? is_enforced :
			is_tighter(&work->verdicts[i], &work->verdicts[found]))
			found = i;
	}
	return found;
}

/* the least is left, or it is back the latest */
static bool
is_tighter(const IdemRateVerdict *a, const IdemRateVerdict *b)
{
	return a->remaining < b->remaining ||
		(a->remaining == b->remaining && a->reset_at > b->reset_at);
}

int
idem_limits_answer_compare(const void *a, const void *b)
{
	const IdemRateAnswer *left = a;
	const IdemRateAnswer *right = b;

	if (is_tighter(&left->verdict, &right->verdict))
		return -1;
	if (is_tighter(&right->verdict, &left->verdict))
		return 1;
	return strcmp(left->policy, right->policy);
}

void
idem_limits_answer_count(const IdemRateWork *work)
{
	idem_count_one(IDEM_COUNT_ALLOWED + reason_of(work));
	if (work->is_allowed && work->shadow >= 0)
		idem_count_one(IDEM_COUNT_SHADOW);
}

/* what is allowed is counted as that, whatever is in the shadow */
static IdemRateReason
reason_of(const IdemRateWork *work)
{
	IdemRateAnswer answer;

	if (work->is_allowed)
		return IDEM_RATE_OK;
	idem_limits_answer_sum(work, &answer);
	return answer.verdict.reason;
}

void
idem_limits_answer_note(const IdemRateWork *work, IdemRateTally *tally)
{
	tally->count[reason_of(work)]++;
	if (work->is_allowed && work->shadow >= 0)
		tally->count[IDEM_RATE_SHADOW]++;
}

void
idem_limits_answer_count_all(const IdemRateTally *tally)
{
	int			i;

	for (i = 0; i < IDEM_RATE_REASONS; i++)
	{
		if (tally->count[i] > 0)
			idem_count_many(IDEM_COUNT_ALLOWED + i, tally->count[i]);
	}
}
