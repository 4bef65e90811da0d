/*
 * index.c
 *		Finding a table's index by what it is for.
 *
 * REINDEX CONCURRENTLY gives it another name and OID, so neither is known.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_am.h"
#include "nodes/primnodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "store/index.h"

static Relation open_first(Relation rel, int column, Oid am, Oid operator);
static bool serves(Relation index, Form_pg_attribute column, Oid am, Oid operator);
static bool has_all_rows(Relation index, int column);

Relation
idem_store_index_open_ordered(Relation rel, int column)
{
	Oid			type = TupleDescAttr(RelationGetDescr(rel), column)->atttypid;

	return open_first(rel, column, BTREE_AM_OID,
					  lookup_type_cache(type, TYPECACHE_LT_OPR)->lt_opr);
}

Relation
idem_store_index_open_inverted(Relation rel, int column, Oid operator)
{
	return open_first(rel, column, GIN_AM_OID, operator);
}

static Relation
open_first(Relation rel, int column, Oid am, Oid operator)
{
	List	   *indexes = RelationGetIndexList(rel);
	Relation	result = NULL;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (serves(index, TupleDescAttr(RelationGetDescr(rel), column), am, operator))
		{
			result = index;
			break;
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return result;
}

/* under the order of the column itself, and upwards */
static bool
serves(Relation index, Form_pg_attribute column, Oid am, Oid operator)
{
	return index->rd_rel->relam == am && index->rd_index->indisvalid &&
		index->rd_index->indkey.values[0] == column->attnum &&
		index->rd_indcollation[0] == column->attcollation &&
		index->rd_indoption[0] == 0 &&
		op_in_opfamily(operator, index->rd_opfamily[0]) &&
		has_all_rows(index, column->attnum);
}

/* but for those where the column is NULL */
static bool
has_all_rows(Relation index, int column)
{
	List	   *predicate = RelationGetIndexPredicate(index);
	NullTest   *test;

	if (predicate == NIL)
		return true;
	test = linitial(predicate);
	return list_length(predicate) == 1 && IsA(test, NullTest) &&
		test->nulltesttype == IS_NOT_NULL && IsA(test->arg, Var) &&
		((Var *) test->arg)->varattno == column;
}
