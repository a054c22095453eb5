package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// explain prints the help of a verb as virsh does.
func (v *verb) explain(w io.Writer) {
	fmt.Fprintf(w, "  NAME\n    %s - %s\n\n  SYNOPSIS\n    %s\n\n", v.name, v.help, v.synopsis())
	if v.about != "" {
		fmt.Fprintf(w, "  DESCRIPTION\n    %s\n\n", v.about)
	}
	fmt.Fprint(w, "  OPTIONS\n")
	for _, p := range v.params {
		fmt.Fprintf(w, "    %-15s  %s\n", p.usage(), p.help)
	}
	fmt.Fprintln(w)
}

// synopsis is the verb with all it takes.
func (v *verb) synopsis() string {
	words := []string{v.name}
	for _, p := range v.params {
		words = append(words, p.synopsis())
	}
	return strings.Join(words, " ")
}

func (p param) synopsis() string {
	switch {
	case p.required:
		return "<" + p.name + ">"
	case p.kind == aSwitch:
		return "[--" + p.name + "]"
	case p.kind == theRest:
		return "[[--" + p.name + "] <string>]..."
	}
	return fmt.Sprintf("[--%s <%s>]", p.name, p.word())
}

func (p param) usage() string {
	switch {
	case p.kind == aSwitch:
		return "--" + p.name
	case p.required || p.kind == theRest:
		return fmt.Sprintf("[--%s] <%s>", p.name, p.word())
	}
	return fmt.Sprintf("--%s <%s>", p.name, p.word())
}

// virshTopic explains the second voice.
func (a *app) virshTopic() *cobra.Command {
	var list strings.Builder
	for _, v := range verbs() {
		fmt.Fprintf(&list, "  %-17s %s\n", v.name, short(v.help))
	}
	return &cobra.Command{Use: "virsh", Short: "the commands of virsh, net-list, iface-bridge and others, for those who know them",
		Long: `Every command of virsh about networks and interfaces of the host is a command of
kvmnet, too, and takes the same arguments, prints the same columns and messages,
and ends with the same exit codes, so that scripts go on working with another word
in front:

` + list.String() + `
A network is named by its name or its UUID, an interface by its name or its MAC,
and arguments by their place or by --network, --file and so on. 'kvmnet net-list
--help' explains one of them.

What virsh does not have: -o json and -o yaml, net-update of every section, and
warnings of what a file says in vain, which only a person at a terminal sees. An
interface that carries your SSH session is stopped with --force only, and a bridge
that takes it over is taken back unless you confirm it; kvmnet tells how. The
commands 'kvmnet net ...' and 'kvmnet iface ...' do the same in kvmnet's own words.`,
		Example: `  kvmnet net-define default.xml
  kvmnet net-start default
  kvmnet net-list --all`}
}

// short is a help text that fits a line of the list.
func short(help string) string {
	for _, end := range []string{" or modify an existing", ", which can be later"} {
		help, _, _ = strings.Cut(help, end)
	}
	return help
}
