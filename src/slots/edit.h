/*
 * edit.h
 *		Changes of pages that reach the disc together.
 *
 * All pages must be locked exclusively, and whatever can fail must have been
 * done before begin.  Where rows move or pages are linked, the first page of
 * the chain is named first: replay locks the pages in this order and keeps all
 * of them till it is through, so that a standby's reader, who has the first
 * page locked, sees the chain before or after.
 */
#ifndef IDEM_SLOTS_EDIT_H
#define IDEM_SLOTS_EDIT_H

#include "access/generic_xlog.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"

typedef struct IdemSlotsEdit
{
	GenericXLogState *xlog;		/* NULL when the table is not logged */
	Buffer		buffers[MAX_GENERIC_XLOG_PAGES];
	int			nbuffers;
} IdemSlotsEdit;

extern void idem_slots_edit_begin(IdemSlotsEdit *edit, Relation rel);

/* The page, or the copy that becomes it, to be changed; twice is once. */
extern Page idem_slots_edit_page(IdemSlotsEdit *edit, Buffer buffer);

/* the same for a page whose former content does not matter */
extern Page idem_slots_edit_new_page(IdemSlotsEdit *edit, Buffer buffer);

extern void idem_slots_edit_end(IdemSlotsEdit *edit);

#endif							/* IDEM_SLOTS_EDIT_H */
