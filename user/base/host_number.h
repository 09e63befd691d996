/* SPDX-License-Identifier: GPL-2.0-only */
/* A number that the kernel shows as a file. */
#ifndef BASE_HOST_NUMBER_H
#define BASE_HOST_NUMBER_H

/* host_number - the number at the start of a file; -1 if there is none. */
int host_number(const char *path);

#endif
