// SPDX-License-Identifier: GPL-2.0-only
/* What the verifier has to look at to accept each program: kernels give up at a million. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "decap.skel.h"
#include "lab.h"
#include "sluice.skel.h"

/*
 * Verified instructions that a program may need. Kernels differ (6.1 looks at most), and so do
 * compilers; the limit leaves two thirds of what every kernel accepts.
 */
#define BUDGET 300000u

static void check_budget(const struct bpf_object *object)
{
	struct bpf_program *program;
	unsigned int programs = 0;

	bpf_object__for_each_program(program, object)
	{
		struct bpf_prog_info info = {0};
		__u32 length = sizeof(info);

		if (bpf_program__type(program) != BPF_PROG_TYPE_XDP || bpf_program__fd(program) < 0)
			continue;
		assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length),
				 0);
		print_message("# %s: %u verified instructions of %u\n", bpf_program__name(program),
			      info.verified_insns, BUDGET);
		assert_in_range(info.verified_insns, 1, BUDGET);
		programs++;
	}
	assert_true(programs > 0);
}

CASE_WITH(every_program_is_within_it, "conformance/verifier budget: every program is within it",
	  .open = lab_reset, .not_on_wire = "it sends no packet")
{
	struct lab *lab = *state;

	check_budget(lab->sluice->obj);
	check_budget(lab->decap->obj);
	lab_jumbo(lab);
	check_budget(lab->jumbo->obj);
}
