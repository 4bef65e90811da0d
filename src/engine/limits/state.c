/*
 * state.c
 *		The state of one resource: a block of bytes for each of its logs.
 *
 * Blocks follow each other; a size of 0, or the end of the bytes, ends them.
 * They are checked, since SQL can insert any bytes: what makes no sense counts
 * as nothing.
 *
 * Nobody's call fails, or takes longer, for what others gave in their calls.
 * Blocks of policies come first, so that they are found at once, then those of
 * limits given in calls; a block that keeps its size is changed where it is.
 * Where the room ends, those of calls are left out that were used longest ago.
 * Policies leave room for one of them.
 */
#include "postgres.h"

#include "engine/limits/state.h"
#include "ratemath/bytes.h"
#include "slots/slots.h"

typedef enum LogBlockKind
{
	BLOCK_OF_POLICY,			/* named by the policy */
	BLOCK_OF_CALL				/* named by the period */
} LogBlockKind;

typedef struct LogBlockHeader
{
	TimestampTz expires_at;		/* from when on the block means nothing */
	uint16		size;			/* with this header and the name */
	uint8		kind;
	uint8		name_size;
} LogBlockHeader;

#define BLOCK_HEADER_SIZE	(offsetof(LogBlockHeader, name_size) + sizeof(uint8))

/* for the largest log of a limit that is given in a call */
#define ROOM_FOR_CALL	(BLOCK_HEADER_SIZE + sizeof(int64) + IDEM_RATE_MAX_LOG_SIZE)

/* of a row that is full of the smallest ones */
#define MAX_BLOCKS	(IDEM_SLOTS_MAX_STATE_SIZE / BLOCK_HEADER_SIZE)

typedef struct LogBlock
{
	LogBlockHeader header;
	const char *name;
	const char *encoded;
	Size		encoded_size;
} LogBlock;

/* the blocks of a kind that still mean something, but not those of the call */
typedef struct Others
{
	TimestampTz now;
	int			n;
	LogBlock	blocks[MAX_BLOCKS];
} Others;

static bool next_block(const char *bytes, Size size, Size *position, LogBlock *block);
static bool is_block_of(const LogBlock *block, const IdemRateLog *log);
static const char *name_of(const IdemRateLog *log, LogBlockKind *kind, Size *size);
static void encode_logs(IdemRateLog *logs, int nlogs, IdemRateRow *own);
static bool encode_logs_within(IdemRateLog *logs, int nlogs, Size room, IdemRateRow *own);
static bool encode_log(IdemRateLog *log, Size room, IdemRateRow *own);
static bool change_in_place(const IdemRateLog *logs, int nlogs, const IdemRateRow *old,
							IdemRateRow *row);
static bool has_others(const IdemRateRow *old, Size position);
static void find_others(const IdemRateLog *logs, int nlogs, const IdemRateRow *old,
						LogBlockKind kind, Others *others);
static bool is_any_of(const LogBlock *block, const IdemRateLog *logs, int nlogs);
static void put_others(Others *others, Size room, IdemRateRow *row);
static int	compare_use(const void *a, const void *b);
static TimestampTz last_use(const LogBlock *block);
static void put(const char *bytes, Size size, TimestampTz expires_at, IdemRateRow *row);

void
idem_limits_state_read(const char *bytes, Size size, TimestampTz now, IdemRateLog *log)
{
	Size		position = 0;
	LogBlock	block;

	log->state.algorithm = IDEM_RATE_NOTHING;
	log->old_size = 0;
	while (next_block(bytes, size, &position, &block))
	{
		if (is_block_of(&block, log))
		{
			log->old_size = block.header.size;
			log->old_position = position - block.header.size;
			if (now < block.header.expires_at &&
				idem_ratemath_is_sound(block.encoded, block.encoded_size))
				idem_ratemath_decode(&log->state, block.encoded);
			return;
		}
	}
}

static bool
next_block(const char *bytes, Size size, Size *position, LogBlock *block)
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
is_block_of(const LogBlock *block, const IdemRateLog *log)
{
	LogBlockKind kind;
	Size		size;
	const char *name = name_of(log, &kind, &size);

	return block->header.kind == kind && block->header.name_size == size &&
		memcmp(block->name, name, size) == 0;
}

static const char *
name_of(const IdemRateLog *log, LogBlockKind *kind, Size *size)
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

void
idem_limits_state_write(IdemRateLog *logs, int nlogs, const IdemRateRow *old,
						TimestampTz now, IdemRateRow *row)
{
	Others		others;
	char		copy[IDEM_SLOTS_MAX_STATE_SIZE];
	IdemRateRow own;
	bool		is_given = nlogs > 0 && logs[0].policy == NULL;

	encode_logs(logs, nlogs, row);
	if (change_in_place(logs, nlogs, old, row))
		return;
	own = *row;
	if (is_given)
	{
		own.bytes = memcpy(copy, row->bytes, row->size);
		row->size = 0;
	}
	others.now = now;
	find_others(logs, nlogs, old, BLOCK_OF_POLICY, &others);
	put_others(&others, IDEM_SLOTS_MAX_STATE_SIZE - (is_given ? own.size : ROOM_FOR_CALL), row);
	if (is_given)
		put(own.bytes, own.size, own.expires_at, row);
	find_others(logs, nlogs, old, BLOCK_OF_CALL, &others);
	put_others(&others, IDEM_SLOTS_MAX_STATE_SIZE, row);
}

/* Where their room ends, logs become coarser. */
static void
encode_logs(IdemRateLog *logs, int nlogs, IdemRateRow *own)
{
	Size		room = IDEM_SLOTS_MAX_STATE_SIZE;

	if (nlogs > 0 && logs[0].policy != NULL)
		room -= ROOM_FOR_CALL;
	while (!encode_logs_within(logs, nlogs, room, own))
	{
		int			i;

		for (i = 0; i < nlogs; i++)
			idem_ratemath_coarsen(&logs[i].state);
	}
}

static bool
encode_logs_within(IdemRateLog *logs, int nlogs, Size room, IdemRateRow *own)
{
	int			i;

	own->size = 0;
	own->expires_at = PG_INT64_MIN;
	for (i = 0; i < nlogs; i++)
	{
		if (!encode_log(&logs[i], room, own))
			return false;
	}
	return true;
}

static bool
encode_log(IdemRateLog *log, Size room, IdemRateRow *own)
{
	char		encoded[IDEM_RATE_MAX_ENCODED_SIZE];
	Size		encoded_size = idem_ratemath_encode(&log->state, encoded);
	LogBlockHeader header;
	LogBlockKind kind;
	Size		name_size;
	const char *name = name_of(log, &kind, &name_size);
	char	   *bytes = own->bytes + own->size;

	header.expires_at = idem_ratemath_expires_at(&log->state);
	header.kind = kind;
	header.name_size = name_size;
	header.size = BLOCK_HEADER_SIZE + name_size + encoded_size;
	if (header.size > room - own->size)
		return false;
	memcpy(bytes, &header, BLOCK_HEADER_SIZE);
	memcpy(bytes + BLOCK_HEADER_SIZE, name, name_size);
	memcpy(bytes + BLOCK_HEADER_SIZE + name_size, encoded, encoded_size);
	log->new_size = header.size;
	own->size += header.size;
	own->expires_at = Max(own->expires_at, header.expires_at);
	return true;
}

/*
 * Put what is in the row where it was in the old one, and the rest around it.
 * Only if all of the call's blocks lie side by side there and keep their sizes.
 */
static bool
change_in_place(const IdemRateLog *logs, int nlogs, const IdemRateRow *old,
				IdemRateRow *row)
{
	Size		start = logs[0].old_position;
	Size		end = start;
	int			i;

	if (old->size > IDEM_SLOTS_MAX_STATE_SIZE)
		return false;
	for (i = 0; i < nlogs; i++)
	{
		if (logs[i].old_size != logs[i].new_size || logs[i].old_position != end)
			return false;
		end += logs[i].new_size;
	}
	if (start == 0 && !has_others(old, end))
		return true;
	memmove(row->bytes + start, row->bytes, row->size);
	memcpy(row->bytes, old->bytes, start);
	memcpy(row->bytes + end, old->bytes + end, old->size - end);
	row->size = old->size;
	row->expires_at = Max(row->expires_at, old->expires_at);
	return true;
}

static bool
has_others(const IdemRateRow *old, Size position)
{
	LogBlock	block;

	return next_block(old->bytes, old->size, &position, &block);
}

static void
find_others(const IdemRateLog *logs, int nlogs, const IdemRateRow *old, LogBlockKind kind,
			Others *others)
{
	LogBlock   *block = others->blocks;
	Size		position = 0;

	while (block < others->blocks + MAX_BLOCKS &&
		   next_block(old->bytes, old->size, &position, block))
	{
		if (block->header.kind == kind && others->now < block->header.expires_at &&
			!is_any_of(block, logs, nlogs))
			block++;
	}
	others->n = block - others->blocks;
}

static bool
is_any_of(const LogBlock *block, const IdemRateLog *logs, int nlogs)
{
	int			i;

	for (i = 0; i < nlogs; i++)
	{
		if (is_block_of(block, &logs[i]))
			return true;
	}
	return false;
}

/* Those used last, if not all of them have room. */
static void
put_others(Others *others, Size room, IdemRateRow *row)
{
	Size		needed = row->size;
	int			i;

	for (i = 0; i < others->n; i++)
		needed += others->blocks[i].header.size;
	if (needed > room)
		qsort(others->blocks, others->n, sizeof(LogBlock), compare_use);
	for (i = 0; i < others->n; i++)
	{
		const LogBlock *other = &others->blocks[i];

		if (row->size + other->header.size > room)
			return;
		put(other->name - BLOCK_HEADER_SIZE, other->header.size,
			other->header.expires_at, row);
	}
}

static int
compare_use(const void *a, const void *b)
{
	TimestampTz left = last_use(a);
	TimestampTz right = last_use(b);

	return left > right ? -1 : left < right;
}

/* A limit given in a call is a sliding window, named by its period. */
static TimestampTz
last_use(const LogBlock *block)
{
	int64		period;

	if (block->header.kind != BLOCK_OF_CALL || block->header.name_size != sizeof(period))
		return block->header.expires_at;
	memcpy(&period, block->name, sizeof(period));
	return is_span(period) ? block->header.expires_at - period : block->header.expires_at;
}

static void
put(const char *bytes, Size size, TimestampTz expires_at, IdemRateRow *row)
{
	memcpy(row->bytes + row->size, bytes, size);
	row->size += size;
	row->expires_at = Max(row->expires_at, expires_at);
}
