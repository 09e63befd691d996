/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers as people write and read them. */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

#include <stdint.h>

#define NUMBER_TEXT_MAX 32

/* duration_parse - "250ms", "30s", "5m", "2h", "1d", "90" (seconds). 0, -EINVAL or -ERANGE. */
int duration_parse(const char *text, uint64_t *ret_ms);

/* All write into buffer, which is also returned. */
const char *duration_format(double seconds, char buffer[NUMBER_TEXT_MAX]); /* "1h5m", "12s" */
const char *count_format(double count, char buffer[NUMBER_TEXT_MAX]);      /* "99999", "1.23M" */
const char *bytes_format(double bytes, char buffer[NUMBER_TEXT_MAX]);      /* "1.5 MiB" */

#endif
