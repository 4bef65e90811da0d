/*
 * records.c
 *		Records, whichever table they lie in.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "store/records.h"

/* the search for the newest fence */
typedef struct FenceSearch
{
	const IdemFamily *family;
	int64		newest;
} FenceSearch;

static const IdemFamily *family_of(const IdemTable *table);
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
