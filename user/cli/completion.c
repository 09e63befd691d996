// SPDX-License-Identifier: GPL-2.0-only
/* The verb "completion": a script that teaches a shell to ask this command what may come next. */
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"

static const char bash_script[] =
	"# bash completion for sluice: the command itself says what may come next.\n"
	"_sluice() {\n"
	"    local word meaning\n"
	"    COMPREPLY=()\n"
	"    while IFS=$'\\t' read -r word meaning; do\n"
	"        if [[ $word == :file ]]; then\n"
	"            compopt -o filenames\n"
	"            mapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]#=}\")\n"
	"            return\n"
	"        fi\n"
	"        COMPREPLY+=(\"$word\")\n"
	"    done < <(\"${COMP_WORDS[0]}\" --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
	"2>/dev/null)\n"
	"}\n"
	"complete -F _sluice sluice\n";

static const char zsh_script[] =
	"#compdef sluice\n"
	"# zsh completion for sluice: the command itself says what may come next.\n"
	"_sluice() {\n"
	"    local -a found\n"
	"    local word meaning\n"
	"    while IFS=$'\\t' read -r word meaning; do\n"
	"        if [[ $word == :file ]]; then\n"
	"            _files\n"
	"            return\n"
	"        fi\n"
	"        found+=(\"${word//:/\\\\:}:$meaning\")\n"
	"    done < <(\"${words[1]}\" --complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"    _describe -V sluice found\n"
	"}\n"
	"if [[ ${funcstack[1]} == _sluice ]]; then\n"
	"    _sluice \"$@\"\n"
	"else\n"
	"    compdef _sluice sluice\n"
	"fi\n";

static const char fish_script[] =
	"# fish completion for sluice: the command itself says what may come next.\n"
	"function __sluice_complete\n"
	"    set -l typed (commandline -opc)\n"
	"    set -l current (commandline -ct)\n"
	"    set -l found ($typed[1] --complete $typed[2..-1] \"$current\" 2>/dev/null)\n"
	"    if test \"$found[1]\" = :file\n"
	"        __fish_complete_path \"$current\"\n"
	"    else if set -q found[1]\n"
	"        string join -- \\n $found\n"
	"    end\n"
	"end\n"
	"complete -c sluice -f -k -a '(__sluice_complete)'\n";

static const struct {
	const char *shell, *script;
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static int completion_run(struct call *call, struct error *error)
{
	(void)error;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (strcmp(scripts[i].shell, call_text(call, "SHELL")) == 0)
			fputs(scripts[i].script, stdout);
	}
	return 0;
}

const struct verb completion_verbs[] = {
	{
		.name = "completion",
		.summary = "write a script that completes this command's words in a shell",
		.example = "sluice completion bash >/etc/bash_completion.d/sluice",
		.local = true,
		.parameters =
			{
				{.name = "SHELL",
				 .kind = PARAMETER_CHOICE,
				 .choices = shells,
				 .required = true,
				 .help = "bash, zsh, fish"},
			},
		.run = completion_run,
	},
	{0},
};
