/*
 * state.c
 *		The state of one resource: a block of bytes for each of its logs.
 *
 * Blocks follow each other; a size of 0, or the end of the bytes, ends them.
 * They are checked, since SQL can insert any bytes: what makes no sense counts
 * as nothing.
 */
#include "postgres.h"

#include "engine/limits/state.h"

typedef enum BlockKind
{
	BLOCK_OF_POLICY,			/* named by the policy */
	BLOCK_OF_CALL				/* named by the period */
} BlockKind;

typedef struct BlockHeader
{
	TimestampTz expires_at;		/* from when on the block means nothing */
	uint16		size;			/* with this header and the name */
	uint8		kind;
	uint8		name_size;
} BlockHeader;

#define BLOCK_HEADER_SIZE	(offsetof(BlockHeader, name_size) + sizeof(uint8))

typedef struct Block
{
	BlockHeader header;
	const char *name;
	const char *encoded;
	Size		encoded_size;
} Block;

static bool next_block(const char *bytes, Size size, Size *position, Block *block);
static bool is_block_of(const Block *block, const IdemRateLog *log);
static bool is_block_of_any(const Block *block, const IdemRateLog *logs, int nlogs);
static const char *name_of(const IdemRateLog *log, BlockKind *kind, Size *size);
static Size put_log(const IdemRateLog *log, char *bytes, Size room, TimestampTz *expires_at);
static void require_room(Size size, Size room);

void
idem_limits_state_read(const char *bytes, Size size, TimestampTz now, IdemRateLog *log)
{
	Size		position = 0;
	Block		block;

	log->state.algorithm = IDEM_RATE_NOTHING;
	while (next_block(bytes, size, &position, &block))
	{
		if (is_block_of(&block, log))
		{
			if (now < block.header.expires_at &&
				idem_ratemath_is_sound(block.encoded, block.encoded_size))
				idem_ratemath_decode(&log->state, block.encoded);
			return;
		}
	}
}

static bool
next_block(const char *bytes, Size size, Size *position, Block *block)
{
	if (size - *position < BLOCK_HEADER_SIZE)
		return false;
	memcpy(&block->header, bytes + *position, BLOCK_HEADER_SIZE);
	if (block->header.size < BLOCK_HEADER_SIZE + block->header.name_size ||
		block->header.size > size - *position)
		return false;
	block->name = bytes + *position + BLOCK_HEADER_SIZE;
	block->encoded = block->name + block->header.name_size;
	block->encoded_size = block->header.size - BLOCK_HEADER_SIZE - block->header.name_size;
	*position += block->header.size;
	return true;
}

static bool
is_block_of(const Block *block, const IdemRateLog *log)
{
	BlockKind	kind;
	Size		size;
	const char *name = name_of(log, &kind, &size);

	return block->header.kind == kind && block->header.name_size == size &&
		memcmp(block->name, name, size) == 0;
}

static const char *
name_of(const IdemRateLog *log, BlockKind *kind, Size *size)
{
	if (log->policy == NULL)
	{
		*kind = BLOCK_OF_CALL;
		*size = sizeof(log->limit->period);
		return (const char *) &log->limit->period;
	}
	*kind = BLOCK_OF_POLICY;
	*size = strlen(log->policy);
	return log->policy;
}

Size
idem_limits_state_write(const IdemRateLog *logs, int nlogs, const char *old, Size old_size,
						TimestampTz now, char *bytes, Size buffer_size,
						TimestampTz *expires_at)
{
	Size		position = 0;
	Size		size = 0;
	Block		block;
	int			i;

	*expires_at = PG_INT64_MIN;
	for (i = 0; i < nlogs; i++)
		size += put_log(&logs[i], bytes + size, buffer_size - size, expires_at);
	while (next_block(old, old_size, &position, &block))
	{
		if (now >= block.header.expires_at || is_block_of_any(&block, logs, nlogs))
			continue;
		require_room(block.header.size, buffer_size - size);
		memcpy(bytes + size, block.name - BLOCK_HEADER_SIZE, block.header.size);
		size += block.header.size;
		*expires_at = Max(*expires_at, block.header.expires_at);
	}
	return size;
}

static bool
is_block_of_any(const Block *block, const IdemRateLog *logs, int nlogs)
{
	int			i;

	for (i = 0; i < nlogs; i++)
	{
		if (is_block_of(block, &logs[i]))
			return true;
	}
	return false;
}

static Size
put_log(const IdemRateLog *log, char *bytes, Size room, TimestampTz *expires_at)
{
	char		encoded[IDEM_RATE_MAX_ENCODED_SIZE];
	Size		encoded_size = idem_ratemath_encode(&log->state, encoded);
	BlockHeader header;
	BlockKind	kind;
	Size		name_size;
	const char *name = name_of(log, &kind, &name_size);

	header.expires_at = idem_ratemath_expires_at(&log->state);
	header.kind = kind;
	header.name_size = name_size;
	header.size = BLOCK_HEADER_SIZE + name_size + encoded_size;
	require_room(header.size, room);
	memcpy(bytes, &header, BLOCK_HEADER_SIZE);
	memcpy(bytes + BLOCK_HEADER_SIZE, name, name_size);
	memcpy(bytes + BLOCK_HEADER_SIZE + name_size, encoded, encoded_size);
	*expires_at = Max(*expires_at, header.expires_at);
	return header.size;
}

static void
require_room(Size size, Size room)
{
	if (size > room)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many limits on one resource"),
				 errdetail("What they have to remember does not fit into one row."),
				 errhint("Use fewer policies, or fewer different periods in the calls.")));
}
