/*
 * siphash.h
 *		SipHash-2-4: a hash that nobody can foretell who does not know its key.
 *
 * After Aumasson and Bernstein, "SipHash: a fast short-input PRF".
 */
#ifndef IDEM_SLOTS_SIPHASH_H
#define IDEM_SLOTS_SIPHASH_H

extern uint64 idem_slots_siphash(const uint64 key[2], const void *data, Size size);

#endif							/* IDEM_SLOTS_SIPHASH_H */
