/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a failed case leaves in build/failed, as pcap files: the frames that it sent last, those
 * that came out, and, where two were compared, the one that was expected.
 */
#ifndef DATAPATH_KEEP_H
#define DATAPATH_KEEP_H

#include "frame.h"

/* keep_start - a case begins: nothing is kept of the one before. */
void keep_start(void);

/* Frames are kept until the next case, the last KEEP_FRAMES of each kind. */
#define KEEP_FRAMES 64
void keep_sent(const struct frame *frame);
void keep_got(const struct frame *frame);
void keep_expected(const struct frame *frame);

/* keep_write - the case of this name has failed: write the files and say where. */
void keep_write(const char *sentence, const char *suffix);

#endif
