/*
 * index.c
 *		Finding a table's index by what it is for.
 *
 * REINDEX CONCURRENTLY gives it another name and OID, so neither is known.
 */
#include "postgres.h"

#include "access/genam.h"
#include "nodes/primnodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "store/index.h"

static bool serves(Relation index, int column, Oid operator);
static bool has_all_rows(Relation index, int column);

Relation
idem_store_index_open(Relation rel, int column, Oid operator)
{
	List	   *indexes = RelationGetIndexList(rel);
	Relation	result = NULL;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (serves(index, column, operator))
		{
			result = index;
			break;
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return result;
}

static bool
serves(Relation index, int column, Oid operator)
{
	return index->rd_index->indisvalid &&
		index->rd_index->indkey.values[0] == column + 1 &&
		index->rd_indoption[0] == 0 &&
		op_in_opfamily(operator, index->rd_opfamily[0]) &&
		has_all_rows(index, column);
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
		((Var *) test->arg)->varattno == column + 1;
}
