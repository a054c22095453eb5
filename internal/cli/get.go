package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// kinds are the words for the kinds of objects, as people may write them.
var kinds = map[string]string{
	"network": "network", "networks": "network", "net": "network",
	"port": "port", "ports": "port",
	"bridge": "bridge", "bridges": "bridge",
}

// kindOf reads KIND or KIND/NAME, the form in which messages name objects.
func kindOf(word string) (kind, name string, err error) {
	word, name, _ = strings.Cut(word, "/")
	if kinds[word] == "" {
		return "", "", usagef("unknown kind %q; there are network, port and bridge", word)
	}
	return kinds[word], name, nil
}

func (a *app) getCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "get KIND [NAME]", Short: "list networks, ports, bridges or all",
		Long: `Get lists objects with their state. KIND is networks, ports, bridges or all.

JSON has the names of the YAML files and adds "status". YAML comes without
status: it is a file that 'kvmnet apply' takes, so it serves as a backup.`,
		Example: `  kvmnet get networks -o wide
  kvmnet get port vm1 -o json
  kvmnet get all -o yaml > backup.yaml`,
		Args: between(1, 2, "KIND: networks, ports, bridges or all"), ValidArgsFunction: a.completeKindAndName}
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, name, err := "", "", error(nil)
		if args[0] != "all" {
			kind, name, err = kindOf(args[0])
		}
		switch {
		case err != nil:
			return err
		case len(args) == 2 && (kind == "" || name != ""):
			return usagef("unexpected argument %q", args[1])
		case len(args) == 2:
			name = args[1]
		}
		return a.get(cmd.Context(), kind, name, form.value)
	}
	return cmd
}

// get prints the objects of a kind, "" for all, or the one with a name.
func (a *app) get(ctx context.Context, kind, name, form string) error {
	if form == asYAML && (kind == "") == (name == "") {
		text, err := a.client().Export(ctx, kind, name)
		fmt.Fprint(a.Stdout, text)
		return err
	}
	doc, tables, err := a.gather(ctx, kind, name, form == asWide)
	if err != nil {
		return err
	}
	if form == asYAML {
		doc = doc.definitions()
	}
	return a.print(form, doc, func() error { return a.showAll(tables, kind == "") })
}

// gather asks for the objects as a document and as tables.
func (a *app) gather(ctx context.Context, kind, name string, wide bool) (doc document, tables []*table, err error) {
	if kind == "network" || kind == "" {
		list, err := a.networks(ctx, name)
		if err != nil {
			return doc, nil, err
		}
		doc.Networks, tables = networkDocument(list), append(tables, networkTable(list, wide))
	}
	if kind == "bridge" || kind == "" {
		list, err := a.client().Bridges(ctx)
		if list, err = only("bridge", name, list, err, func(b api.HostBridge) string { return b.Name }); err != nil {
			return doc, nil, err
		}
		doc.Bridges, tables = bridgeDocument(list), append(tables, bridgeTable(list, wide))
	}
	if kind == "port" || kind == "" {
		list, err := a.client().Ports(ctx)
		if list, err = only("port", name, list, err, func(p api.Port) string { return p.Name }); err != nil {
			return doc, nil, err
		}
		doc.Ports, tables = portDocument(list), append(tables, portTable(list, wide))
	}
	return doc, tables, nil
}

func (a *app) networks(ctx context.Context, name string) ([]api.Network, error) {
	if name == "" {
		return a.client().Networks(ctx)
	}
	n, err := a.client().Network(ctx, name)
	return []api.Network{n}, err
}

// only keeps the object of a name, all when the name is "".
func only[T any](kind, name string, list []T, err error, nameOf func(T) string) ([]T, error) {
	if err != nil || name == "" {
		return list, err
	}
	i := slices.IndexFunc(list, func(v T) bool { return nameOf(v) == name })
	if i < 0 {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no %s named %s", kind, name)}
	}
	return list[i : i+1], nil
}

// showAll prints tables, when there are several those with rows only and with a
// line between; --quiet then names objects with their kind.
func (a *app) showAll(tables []*table, several bool) error {
	printed := 0
	for i, t := range tables {
		if several && len(t.rows) == 0 {
			continue
		}
		if several && a.quiet {
			for _, row := range t.rows {
				row[0] = []string{"network/", "bridge/", "port/"}[i] + row[0]
			}
		}
		if printed++; printed > 1 && !a.quiet {
			fmt.Fprintln(a.Stdout)
		}
		if err := a.show(t); err != nil {
			return err
		}
	}
	return nil
}
