/*
 * hold.c
 *		What an owner does while it works: hold the claim longer, note how far
 *		it has come, make sure that it still owns it.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "engine/claims/hold.h"
#include "pg/clock.h"

typedef struct Extension
{
	const Interval *lease;
	TimestampTz end;
} Extension;

typedef struct Checkpoint
{
	text	   *recovery_point;
	struct varlena *state;
	bool		is_new;
} Checkpoint;

static IdemAction decide_extend_lease(const IdemTarget *target,
									  IdemRecord *record, TimestampTz now,
									  void *arg);
static IdemAction decide_checkpoint(const IdemTarget *target,
									IdemRecord *record, TimestampTz now,
									void *arg);
static IdemAction decide_assert_owner(const IdemTarget *target,
									  IdemRecord *record, TimestampTz now,
									  void *arg);
static void require_claim(const IdemTarget *target, const IdemRecord *record);

TimestampTz
idem_claims_hold_extend_lease(const IdemTarget *target, const Interval *lease)
{
	Extension	extension = {.lease = lease};

	idem_claims_change_record(target, decide_extend_lease, &extension);
	return extension.end;
}

bool
idem_claims_hold_checkpoint(const IdemTarget *target, text *recovery_point,
							struct varlena *state)
{
	Checkpoint	checkpoint = {.recovery_point = recovery_point, .state = state};

	idem_claims_change_record(target, decide_checkpoint, &checkpoint);
	return checkpoint.is_new;
}

void
idem_claims_hold_assert_owner(const IdemTarget *target)
{
	idem_claims_change_record(target, decide_assert_owner, NULL);
}

static IdemAction
decide_extend_lease(const IdemTarget *target, IdemRecord *record,
					TimestampTz now, void *arg)
{
	Extension  *extension = arg;
	TimestampTz lease_end;

	require_claim(target, record);
	lease_end = Min(idem_clock_add(now, extension->lease), record->expires_at);
	record->lease_expires_at = Max(record->lease_expires_at, lease_end);
	extension->end = record->lease_expires_at;
	return IDEM_UPDATE;
}

static IdemAction
decide_checkpoint(const IdemTarget *target, IdemRecord *record, TimestampTz now,
				  void *arg)
{
	Checkpoint *checkpoint = arg;

	require_claim(target, record);
	/* written all the same, since an open takeover must be waited for */
	checkpoint->is_new =
		!idem_store_records_equal(record->recovery_point, checkpoint->recovery_point) ||
		!idem_store_records_equal(record->checkpoint, checkpoint->state);
	record->recovery_point = checkpoint->recovery_point;
	record->checkpoint = checkpoint->state;
	return IDEM_UPDATE;
}

static IdemAction
decide_assert_owner(const IdemTarget *target, IdemRecord *record,
					TimestampTz now, void *arg)
{
	require_claim(target, record);
	return IDEM_HOLD;
}

static void
require_claim(const IdemTarget *target, const IdemRecord *record)
{
	idem_claims_change_require_record(target, record);
	idem_claims_change_require_not_final(target, record);
	idem_claims_change_require_lease(target, record);
}
