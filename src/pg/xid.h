/*
 * xid.h
 *		Transaction ids that never wrap around.
 */
#ifndef IDEM_PG_XID_H
#define IDEM_PG_XID_H

#include "access/transam.h"

/* Of a transaction id that is in use: the last one with it that was given. */
extern FullTransactionId idem_xid_widen(TransactionId xid);

#endif							/* IDEM_PG_XID_H */
