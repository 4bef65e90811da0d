/*
 * table.h
 *		Opening idemstore's tables for direct access.
 */
#ifndef IDEM_STORE_TABLE_H
#define IDEM_STORE_TABLE_H

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/relcache.h"

#include "store/check.h"

#define IDEM_MAX_KEY_COLUMNS	2

typedef struct IdemKey
{
	Datum		column[IDEM_MAX_KEY_COLUMNS];
} IdemKey;

/* A version of a row that a probe found. */
typedef struct IdemVersion
{
	TupleTableSlot *slot;		/* NULL or empty when there is none */
	TransactionId open_xid;		/* the open transaction that made or is
								 * changing it; invalid when none is */
} IdemVersion;

/* An open table, and what the last look at it found. */
typedef struct IdemTable
{
	IdemTableInfo *info;
	LOCKMODE	lockmode;
	MemoryContext context;		/* lives at least as long as this is open */
	bool		is_written;
	bool		is_base_locked; /* by this transaction, for the next write */
	Relation	rel;
	Relation	pkey;
	IdemVersion base;			/* the committed version, or our own */
	IdemVersion pending;		/* the version another open transaction made */
	IdemVersion match;			/* what a visitor chose */
	TupleTableSlot *scan;		/* NULL before it is needed */
	EState	   *estate;			/* for writes; NULL before the first */
	ResultRelInfo *result_rel;
	TupleTableSlot *new_row;
} IdemTable;

extern void idem_store_table_init(void);

/*
 * The relation alone, locked; close it with relation_close.  Raises 42P01 when
 * the extension is gone and 55000 when the table is not what the code expects.
 */
extern Relation idem_store_table_open_relation(IdemTableInfo *info,
											   LOCKMODE lockmode);

/*
 * As open_relation, but NULL instead of an error or a wait for its lock.  Not
 * even a table that somebody else is about to drop is waited for.
 */
extern Relation idem_store_table_try_open_relation(IdemTableInfo *info,
												   LOCKMODE lockmode);

/*
 * Lock a table and its indexes, to the end of the transaction, for a statement
 * that is not to wait for them.  Raises 55P03 when somebody keeps a lock that
 * conflicts, 42P01 as open does, and 55000 as idem_store_check_for_sql does.
 */
extern Oid	idem_store_table_lock_now(const char *name, LOCKMODE lockmode);

/* Is there a relation of this name? */
extern bool idem_store_table_is_there(IdemTableInfo *info);

/* Can the table be read here?  On a standby, only a logged one can. */
extern bool idem_store_table_is_readable(IdemTableInfo *info);

/*
 * Open and close.  Raises 55000 when the table is not what the code expects.
 * Close before any sleep; a lock under which something was written stays to
 * the end of the transaction.
 */
extern void idem_store_table_open(IdemTable *table, IdemTableInfo *info,
								  LOCKMODE lockmode);
extern void idem_store_table_close(IdemTable *table);

/* Made when it is needed: most reads hand the only one over. */
extern TupleTableSlot *idem_store_table_scan_slot(IdemTable *table);

#endif							/* IDEM_STORE_TABLE_H */
