/*
 * scan.h
 *		Reading a table of slots by SQL.
 */
#ifndef IDEM_SLOTS_SCAN_H
#define IDEM_SLOTS_SCAN_H

#include "access/tableam.h"

/* Put the callbacks that read in place of the heap's. */
extern void idem_slots_scan_set_callbacks(TableAmRoutine *routine);

#endif							/* IDEM_SLOTS_SCAN_H */
