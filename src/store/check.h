/*
 * check.h
 *		What the code knows of its tables, and whether a table is so.
 */
#ifndef IDEM_STORE_CHECK_H
#define IDEM_STORE_CHECK_H

#include "utils/relcache.h"

typedef struct IdemColumn
{
	const char *name;
	Oid			type;
} IdemColumn;

typedef enum IdemTableKind
{
	IDEM_TABLE_RECORDS,			/* a heap, read and written directly */
	IDEM_TABLE_SETTINGS,		/* a heap that is read directly and written by
								 * SQL, so triggers and rules may be there */
	IDEM_TABLE_SLOTS,			/* rows changed in place (slots.h) */
	IDEM_TABLE_SEQUENCE			/* just its name is known */
} IdemTableKind;

/*
 * What the code knows of one table, and the OID it last had.  The key is the
 * first nkeys columns, all text COLLATE "C"; of a heap it is the primary key.
 */
typedef struct IdemTableInfo
{
	IdemTableKind kind;
	const char *name;
	int			nkeys;
	int			ncolumns;
	const IdemColumn *columns;

	/* kept by table.c; all but the list are forgotten on invalidation */
	Oid			oid;
	bool		is_checked;
	bool		is_checked_for_writes;
	Oid			other_index;	/* for the table's own file to remember */
	bool		is_loaded;		/* likewise: is what it keeps the table's
								 * content? */
	bool		is_known;
	struct IdemTableInfo *next;
} IdemTableInfo;

/* Raises 55000, which names what is in the way, when the table is not. */
extern void idem_store_check_table(Relation rel, const IdemTableInfo *info);

/* The same as an answer. */
extern bool idem_store_check_is_fit(Relation rel, const IdemTableInfo *info);

/*
 * Raises 55000 when a statement on the table, which is locked for it, would run
 * what somebody has attached to it: with the rights of the extension's owner.
 */
extern void idem_store_check_for_sql(Oid relid);

#endif							/* IDEM_STORE_CHECK_H */
