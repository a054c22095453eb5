package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// The second voice of this command line: net-list, iface-start and the other names
// with a hyphen speak as virsh does, with its arguments, columns, messages and exit
// codes, for the scripts and the fingers that know it. What is ours there is -o,
// --socket, and warnings, which only a person at a terminal sees.

// verb is a command of virsh.
type verb struct {
	name, help, about string // as virsh explains it
	example           string
	params            []param
	run               func(*call) error
}

// call is one run of a verb.
type call struct {
	*app
	arguments
	ctx  context.Context
	verb *verb
	form string // asTable, asJSON or asYAML
}

// virshError is an error as virsh words it: what failed, and why, an error a line.
type virshError []string

func (r virshError) Error() string { return strings.Join(r, "\n") }

// errSaid ends a verb whose error stands on standard error already.
var errSaid = errors.New("said in virsh's words")

// verbs are all of them, in the order of virsh's help.
func verbs() []*verb {
	return append(ifaceVerbs(), []*verb{
		netAutostart, netCreate, netDefine, netDesc, netDestroy, netDHCPLeases, netDumpXML, netEdit, netEvent, netInfo, netList,
		netMetadata, netName, netStart, netUndefine, netUpdate, netUUID, netPortList, netPortCreate, netPortDumpXML, netPortDelete,
	}...)
}

// verbCalled returns the verb of a name; nil when there is none.
func verbCalled(name string) *verb {
	for _, v := range verbs() {
		if v.name == name {
			return v
		}
	}
	return nil
}

// virshCommands makes a command of each. They are not in the list of commands, which
// has the groups; 'kvmnet help virsh' lists them.
func (a *app) virshCommands() []*cobra.Command {
	var cmds []*cobra.Command
	for _, v := range verbs() {
		cmd := &cobra.Command{Use: v.synopsis(), Short: v.help, Long: strings.TrimSpace(v.about + "\n\nIt speaks as virsh does; 'kvmnet help virsh' tells how."),
			Example: v.example, Hidden: true, DisableFlagParsing: true, ValidArgsFunction: a.completeVerb(v),
			RunE: func(cmd *cobra.Command, words []string) error { return a.speak(cmd.Context(), v, words) }}
		cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { v.explain(cmd.OutOrStdout()) })
		cmds = append(cmds, cmd)
	}
	return cmds
}

// speak runs a verb. When it has begun virsh ends its output with an empty line,
// whatever came of it, except where it is asked to be quiet.
func (a *app) speak(ctx context.Context, v *verb, words []string) error {
	args, err := v.parse(words)
	if path, ok := args.given[socketParam.name]; ok {
		a.socket = path
	}
	c := &call{app: a, arguments: args, ctx: ctx, verb: v, form: asTable}
	if form, ok := args.given[outputParam.name]; ok && err == nil {
		if c.form = form; form != asTable && form != asJSON && form != asYAML {
			err = misusedf("--output must be one of %s, %s, %s", asTable, asJSON, asYAML)
		}
	}
	switch {
	case err != nil:
		return a.wail(err)
	case args.help:
		v.explain(a.Stdout)
	default:
		err = a.wail(v.run(c))
	}
	if c.form == asTable {
		a.extra("\n")
	}
	return err
}

// wail prints an error as virsh does.
func (a *app) wail(err error) error {
	var lines virshError
	var wrong misused
	switch {
	case err == nil, errors.Is(err, errSaid):
		return err
	case errors.As(err, &wrong):
		lines = virshError(wrong)
	case !errors.As(err, &lines):
		lines = virshError{err.Error()}
	}
	for _, line := range lines {
		fmt.Fprintf(a.Stderr, "error: %s\n", line)
	}
	return errSaid
}

// extra prints what --quiet keeps back.
func (a *app) extra(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.Stdout, format, args...)
	}
}

// Ways to name a network.
const (
	byName = 1 << iota
	byUUID
)

// uuidLength is how long a UUID is written; virsh takes nothing else for one.
const uuidLength = 36

// network finds the network that the call is about.
func (c *call) network() (api.Network, error) { return c.networkBy(byName | byUUID) }

func (c *call) networkBy(way int) (api.Network, error) {
	word, err := c.value("network")
	if err != nil {
		return api.Network{}, err
	}
	failed := fmt.Sprintf("failed to get network '%s'", word)
	if way == byUUID && len(word) != uuidLength {
		return api.Network{}, virshError{failed}
	}
	n, err := c.client().Network(c.ctx, word)
	var refused *api.Error
	switch {
	case errors.As(err, &refused) && refused.Code == api.CodeNotFound, err == nil && way == byName && n.Name != word, err == nil && way == byUUID && n.Name == word:
		return n, virshError{failed, unknownNetwork(word, way)}
	case err != nil:
		return n, virshError{failed, c.why(err, n)}
	}
	return n, nil
}

func unknownNetwork(word string, way int) string {
	switch {
	case way != byUUID:
		return fmt.Sprintf("Network not found: no network with matching name '%s'", word)
	case !isUUID(word):
		return "uuidstr in virNetworkLookupByUUIDString must be a valid UUID"
	}
	return fmt.Sprintf("Network not found: no network with matching uuid '%s'", word)
}

// isUUID reports whether a text of the right length is a UUID.
func isUUID(text string) bool {
	for i, r := range text {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (r == '-') || !hyphen && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return len(text) == uuidLength
}

// fail words an error of the daemon: what failed, and why.
func (c *call) fail(err error, n api.Network, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return virshError{fmt.Sprintf(format, args...), c.why(err, n)}
}

// plainly words an error that virsh says nothing of its own about.
func (c *call) plainly(err error, n api.Network) error {
	var said virshError
	if errors.Is(err, errSaid) || errors.As(err, &said) {
		return err
	}
	return virshError{c.why(err, n)}
}
