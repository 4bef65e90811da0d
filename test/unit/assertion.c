/*
 * assertion.c
 *		What a failed Assert calls, without the server's headers: its further
 *		arguments differ between versions.
 */
#include <stdio.h>
#include <stdlib.h>

extern void ExceptionalCondition(const char *condition);

void
ExceptionalCondition(const char *condition)
{
	printf("Bail out! Assert(%s) failed\n", condition);
	fflush(stdout);
	abort();
}
