/* SPDX-License-Identifier: GPL-2.0-only */
/* CRC-32C (Castagnoli), as in RFC 3720: the check of 9 bytes "123456789" is 0xe3069283. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc32c - of these bytes behind those that gave `before`; 0 at the beginning. */
uint32_t crc32c(uint32_t before, const void *bytes, size_t length);

#endif
