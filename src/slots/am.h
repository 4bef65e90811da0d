/*
 * am.h
 *		The table access method idemstore_slots.
 */
#ifndef IDEM_SLOTS_AM_H
#define IDEM_SLOTS_AM_H

#include "access/tableam.h"

/* the only schema where its tables can be */
#define IDEM_SCHEMA		"idemstore"

extern const TableAmRoutine *idem_slots_am_routine(void);

#endif							/* IDEM_SLOTS_AM_H */
