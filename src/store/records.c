/*
 * records.c
 *		Records, whichever table they lie in.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "store/records.h"

/* the search for the newest fence */
typedef struct FenceSearch
{
	const IdemFamily *family;
	int64		newest;
} FenceSearch;

/* of what has expired */
typedef struct Expiry
{
	const IdemFamily *family;
	TimestampTz now;
} Expiry;

/* of what is chosen */
typedef struct Removal
{
	const IdemFamily *family;
	const IdemRecordRemoval *removal;
} Removal;

static const IdemFamily *family_of(const IdemTable *table);
static IdemRangeVisit choose_expired(TupleTableSlot *slot, void *arg);
static IdemRangeVisit choose(TupleTableSlot *slot, void *arg);
static void pass_on(TupleTableSlot *slot, void *arg);
static IdemVisit see_fence(TupleTableSlot *slot, void *arg);

void
idem_store_records_open(IdemTable *table, IdemFamily *family, LOCKMODE lockmode)
{
	idem_store_table_open(table, &family->table, lockmode);
}

IdemKey
idem_store_records_key(const text *key, const text *scope)
{
	IdemKey		result;

	result.column[0] = PointerGetDatum(key);
	result.column[1] = PointerGetDatum(scope);
	return result;
}

void
idem_store_records_read(const IdemTable *table, TupleTableSlot *slot, IdemRecord *record)
{
	family_of(table)->read(slot, record);
}

static const IdemFamily *
family_of(const IdemTable *table)
{
	return (const IdemFamily *) table->info;
}

int64
idem_store_records_expire(IdemFamily *family, int column, TimestampTz now, int32 max_rows)
{
	IdemRange	range = {column, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
	TimestampTzGetDatum(now)};
	Expiry		expiry = {.family = family, .now = now};
	IdemTable	table;
	int64		n;

	idem_store_records_open(&table, family, RowExclusiveLock);
	n = idem_store_removal_some(&table, &range, choose_expired, &expiry, max_rows);
	idem_store_table_close(&table);
	return n;
}

static IdemRangeVisit
choose_expired(TupleTableSlot *slot, void *arg)
{
	const Expiry *expiry = arg;
	IdemRecord	record;

	expiry->family->read(slot, &record);
	return record.expires_at <= expiry->now && record.lease_expires_at <= expiry->now ?
		IDEM_RANGE_TAKE : IDEM_RANGE_SKIP;
}

void
idem_store_records_remove(IdemFamily *family, const IdemRecordRemoval *removal)
{
	Removal		state = {.family = family, .removal = removal};
	IdemTable	table;

	idem_store_records_open(&table, family, RowExclusiveLock);
	idem_store_removal_all(&table, &removal->range, choose, pass_on, &state);
	idem_store_table_close(&table);
}

static IdemRangeVisit
choose(TupleTableSlot *slot, void *arg)
{
	const Removal *state = arg;
	IdemRecord	record;

	state->family->read(slot, &record);
	return state->removal->choose(&record, state->removal->bound);
}

static void
pass_on(TupleTableSlot *slot, void *arg)
{
	const Removal *state = arg;
	IdemRecord	record;

	state->family->read(slot, &record);
	state->removal->removed(&record, state->removal->arg);
}

bool
idem_store_records_insert(IdemTable *table, const IdemRecord *record)
{
	Datum		values[IDEM_MAX_COLUMNS];
	bool		isnull[IDEM_MAX_COLUMNS];

	family_of(table)->columns(record, values, isnull);
	return idem_store_tuple_insert(table, values, isnull);
}

bool
idem_store_records_update(IdemTable *table, const IdemRecord *record)
{
	Datum		values[IDEM_MAX_COLUMNS];
	bool		isnull[IDEM_MAX_COLUMNS];

	family_of(table)->columns(record, values, isnull);
	return idem_store_tuple_update(table, values, isnull);
}

int64
idem_store_records_newest_fence(IdemTable *table, const IdemKey *key)
{
	FenceSearch search = {.family = family_of(table)};

	idem_store_versions_visit(table, key, see_fence, &search);
	return search.newest;
}

static IdemVisit
see_fence(TupleTableSlot *slot, void *arg)
{
	FenceSearch *search = arg;
	IdemRecord	record;

	search->family->read(slot, &record);
	search->newest = Max(search->newest, record.fence);
	return IDEM_VISIT_NEXT;
}

void
idem_store_records_detach(IdemRecord *record)
{
	record->key = idem_store_records_copy(record->key);
	record->scope = idem_store_records_copy(record->scope);
	record->fingerprint = idem_store_records_copy(record->fingerprint);
	record->owner = idem_store_records_copy(record->owner);
	record->response.headers = idem_store_records_copy(record->response.headers);
	record->response.body = idem_store_records_copy(record->response.body);
	record->error = idem_store_records_copy(record->error);
	record->context = idem_store_records_copy(record->context);
	record->recovery_point = idem_store_records_copy(record->recovery_point);
	record->checkpoint = idem_store_records_copy(record->checkpoint);
}

struct varlena *
idem_store_records_copy(struct varlena *value)
{
	struct varlena *copy;

	if (value == NULL)
		return NULL;
	if (VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
		return detoast_attr(value);
	copy = palloc(VARSIZE_ANY(value));
	memcpy(copy, value, VARSIZE_ANY(value));
	return copy;
}

bool
idem_store_records_is_live(const IdemRecord *record, TimestampTz now)
{
	return now < record->expires_at;
}

bool
idem_store_records_equal(const struct varlena *a, const struct varlena *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return DatumGetBool(DirectFunctionCall2(byteaeq, PointerGetDatum(a),
											PointerGetDatum(b)));
}

/* names in the order of IdemStatus */
IdemStatus
idem_store_records_get_status(Datum value, const char *const *names)
{
	text	   *name = DatumGetTextPP(value);
	int			i;

	for (i = 0; i <= IDEM_FAILED; i++)
	{
		if (strlen(names[i]) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(names[i], VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown status \"%s\" in a table of idemstore",
					text_to_cstring(name))));
}

struct varlena *
idem_store_records_get_varlena(const TupleTableSlot *slot, int column)
{
	return slot->tts_isnull[column] ? NULL :
		(struct varlena *) DatumGetPointer(slot->tts_values[column]);
}

TimestampTz
idem_store_records_get_instant(const TupleTableSlot *slot, int column)
{
	return slot->tts_isnull[column] ? IDEM_NO_INSTANT :
		DatumGetTimestampTz(slot->tts_values[column]);
}

void
idem_store_records_put_varlena(Datum *values, bool *isnull, int column, const struct varlena *value)
{
	values[column] = PointerGetDatum(value);
	isnull[column] = value == NULL;
}

void
idem_store_records_put_instant(Datum *values, bool *isnull, int column, TimestampTz value)
{
	values[column] = TimestampTzGetDatum(value);
	isnull[column] = value == IDEM_NO_INSTANT;
}
