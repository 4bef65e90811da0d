/*
 * xid.c
 *		Transaction ids that never wrap around.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"

#include "pg/xid.h"

FullTransactionId
idem_xid_widen(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, xid);
}
