/*
 * edit.c
 *		Changes of pages that reach the disc together.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "slots/edit.h"

static Page page_of(IdemSlotsEdit *edit, Buffer buffer, int flags);

void
idem_slots_edit_begin(IdemSlotsEdit *edit, Relation rel)
{
	edit->xlog = RelationNeedsWAL(rel) ? GenericXLogStart(rel) : NULL;
	edit->nbuffers = 0;
}

Page
idem_slots_edit_page(IdemSlotsEdit *edit, Buffer buffer)
{
	return page_of(edit, buffer, 0);
}

Page
idem_slots_edit_new_page(IdemSlotsEdit *edit, Buffer buffer)
{
	return page_of(edit, buffer, GENERIC_XLOG_FULL_IMAGE);
}

static Page
page_of(IdemSlotsEdit *edit, Buffer buffer, int flags)
{
	if (edit->xlog != NULL)
		return GenericXLogRegisterBuffer(edit->xlog, buffer, flags);
	Assert(edit->nbuffers < MAX_GENERIC_XLOG_PAGES);
	edit->buffers[edit->nbuffers++] = buffer;
	return BufferGetPage(buffer);
}

void
idem_slots_edit_end(IdemSlotsEdit *edit)
{
	int			i;

	if (edit->xlog != NULL)
		GenericXLogFinish(edit->xlog);
	for (i = 0; i < edit->nbuffers; i++)
		MarkBufferDirty(edit->buffers[i]);
}
