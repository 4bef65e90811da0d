/*
 * standing.c
 *		How a record stands at this instant, whoever asks.
 *
 * A final record is final even while another transaction deletes it; an open
 * transaction counts before the lease, since nobody knows yet how it ends.
 */
#include "postgres.h"

#include "access/transam.h"
#include "utils/timestamp.h"

#include "engine/claims/standing.h"

static IdemStandingKind describe_live(const IdemTable *table, TimestampTz now,
									  IdemStanding *standing);
static IdemStandingKind open_by(IdemStanding *standing, TransactionId blocker);

void
idem_claims_standing_describe(const IdemTable *table, TimestampTz now,
							  IdemStanding *standing)
{
	bool		has_base = idem_store_versions_has_base(table);

	memset(standing, 0, sizeof(IdemStanding));
	if (has_base)
	{
		idem_store_records_read(table, table->base.slot, &standing->record);
		standing->is_live = idem_store_records_is_live(&standing->record, now);
	}
	if (standing->is_live)
		standing->kind = describe_live(table, now, standing);
	else if (idem_store_versions_has_pending(table))
	{
		idem_store_records_read(table, table->pending.slot, &standing->record);
		standing->is_live = idem_store_records_is_live(&standing->record, now);
		standing->kind = open_by(standing, table->pending.open_xid);
	}
	else if (!has_base)
		standing->kind = IDEM_ABSENT;
	else if (TransactionIdIsValid(table->base.open_xid))
		standing->kind = open_by(standing, table->base.open_xid);
	else
		standing->kind = IDEM_EXPIRED;
}

static IdemStandingKind
describe_live(const IdemTable *table, TimestampTz now, IdemStanding *standing)
{
	const IdemRecord *record = &standing->record;

	if (record->status != IDEM_PROCESSING)
		return IDEM_FINAL;
	if (TransactionIdIsValid(table->base.open_xid))
		return open_by(standing, table->base.open_xid);
	standing->is_own = idem_store_versions_base_is_own(table);
	if (record->lease_expires_at == IDEM_NO_INSTANT)
		return IDEM_GIVEN_UP;
	return now < record->lease_expires_at || standing->is_own ?
		IDEM_HELD : IDEM_LAPSED;
}

static IdemStandingKind
open_by(IdemStanding *standing, TransactionId blocker)
{
	standing->blocker = blocker;
	return IDEM_OPEN;
}
