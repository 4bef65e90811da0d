/*
 * snapshot.h
 *		As of when a value is computed.
 */
#ifndef IDEM_CACHE_SNAPSHOT_H
#define IDEM_CACHE_SNAPSHOT_H

/*
 * The oldest snapshot that this session has in use, as a pg_snapshot.  Where a
 * query has lost its snapshot, it is one that no value is newer than.
 */
extern struct varlena *idem_cache_snapshot_oldest(void);

#endif							/* IDEM_CACHE_SNAPSHOT_H */
