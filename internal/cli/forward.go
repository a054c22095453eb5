package cli

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

var forwards = kind{name: "forwards",
	head: []string{"PROTO", "OUTSIDE", "NETWORK", "TARGET", "STATE", "HITS"},
	wide: []string{"ROUTER", "ADDRESSES", "DESCRIPTION", "PROBLEMS"},
	list: listed(api.Service.Forwards, forwardObject)}

func forwardObject(f api.Forward) object {
	protocol, st := string(f.Spec.Protocol), f.Status
	if f.Spec.Floating.IsValid() {
		protocol = "any"
	}
	return object{name: f.Name, spec: f.Spec, status: st, about: forwardText(f), rows: []row{{
		cells: []string{protocol, strings.Join(st.Outside, ","), f.Spec.Network, f.Spec.To.String(), st.State, hits(st.Hits)},
		wide:  []string{st.Router, strings.Join(st.Targets, ","), f.Spec.Description, strings.Join(st.Problems, "; ")}}}}
}

// forwardText tells in a few words what a forward does.
func forwardText(f api.Forward) string {
	return strings.TrimSpace(string(f.Spec.Protocol)+" "+strings.Join(f.Status.Outside, ", ")) + " to " + f.Spec.To.String()
}

// hits prints how many connections were counted.
func hits(c *api.Counter) string {
	if c == nil {
		return ""
	}
	return strconv.FormatUint(c.Packets, 10)
}

func (a *app) forwardCommand() *cobra.Command {
	return a.group("forward", "forwards and floating addresses: list, add",
		`A forward leads connections to a port of the host, or of a router, to a guest. A
floating address leads all that is sent to it. The guest is named by its host name,
and the forward follows its address.`,
		`  kvmnet forward add --net lab tcp 8080 vm1:80
  kvmnet forward list
  kvmnet forward del vm1-tcp-8080`,
		a.forwardListCommand(), a.forwardAddCommand(), a.forwardDelCommand())
}

func (a *app) forwardListCommand() *cobra.Command {
	return a.listCommand(forwards, &cobra.Command{Short: "list forwards and floating addresses",
		Long: `List prints forwards with how many connections they led so far. One whose guest has
no address yet waits for it.`,
		Example: `  kvmnet forward list
  kvmnet forward list -o wide`})
}

func (a *app) forwardDelCommand() *cobra.Command {
	return a.delCommand(forwards, &cobra.Command{Short: "delete forwards and floating addresses",
		Long:    `Del removes a forward and ends the connections that it led; others go on.`,
		Example: `  kvmnet forward del web ssh`})
}

// forwardAdd are the flags of forward add.
type forwardAdd struct{ name, network, router, address, floating, description string }

func (a *app) forwardAddCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "add --net NETWORK (PROTOCOL LISTEN TARGET | --floating ADDRESS TARGET)", Short: "add a forward or a floating address",
		Long: `Add leads connections from outside to a guest.

PROTOCOL is tcp, udp or sctp. LISTEN is a port or a range of ports, 8080 or
2000-2999, and may begin with an address: 192.0.2.5:8080. TARGET is a guest by its
host name or address, with the port that the first port leads to, vm1:80; without
one the ports stay the same.

With --floating all that is sent to an address goes to the guest, and what the guest
sends leaves with it.

The host listens, or the router that has an interface on the network. A port on which
a program listens is refused.`,
		Example: `  kvmnet forward add --net lab tcp 443 nextcloud:443
  kvmnet forward add --net lab udp 2000-2999 vm1 --name games
  kvmnet forward add --net red --router r1 --address 192.0.2.5 tcp 8080 10.8.0.5:80
  kvmnet forward add --net lab --floating 192.0.2.9 vm1`,
		Args: between(1, 3, "PROTOCOL"), ValidArgsFunction: completeProtocol}
	var o forwardAdd
	f := cmd.Flags()
	f.StringVar(&o.network, "net", "", "the guest's `network` (required)")
	f.StringVar(&o.name, "name", "", "`name` of the forward (default: made from where it leads)")
	f.StringVar(&o.router, "router", "", "the `router` that listens (default: the network's, or the host)")
	f.StringVar(&o.address, "address", "", "listen on this outside `address` only")
	f.StringVar(&o.floating, "floating", "", "an outside `address` that is the guest's own")
	f.StringVar(&o.description, "description", "", "a few `words` about it")
	cmd.RegisterFlagCompletionFunc("net", a.completeNetworks(anyNetwork, true))
	cmd.RegisterFlagCompletionFunc("router", a.complete(routers, true))
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := o.forward(args)
		if err != nil {
			return err
		}
		return a.addForward(cmd.Context(), api.Definition[spec.Forward]{Name: o.name, Spec: f}, form.value)
	}
	return cmd
}

func (a *app) addForward(ctx context.Context, d api.Definition[spec.Forward], form string) error {
	f, err := a.client().AddForward(ctx, d)
	if err != nil {
		return err
	}
	return a.print(form, forwardObject(f).alone(), func() error {
		if a.quiet {
			a.nameAll(section{forwards, []object{forwardObject(f)}}, false)
			return nil
		}
		a.say("forward/%s created: %s", f.Name, forwardText(f))
		if f.Status.State != api.Active {
			a.say("note: forward/%s %s", f.Name, f.Status.State)
		}
		return nil
	})
}

func completeProtocol(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []cobra.Completion{"tcp", "udp", "sctp"}, cobra.ShellCompDirectiveNoFileComp
}

// forward reads the flags and arguments.
func (o forwardAdd) forward(args []string) (*spec.Forward, error) {
	f := &spec.Forward{Description: o.description, Network: o.network, Router: o.router}
	var err error
	switch {
	case o.network == "":
		return nil, usage("say on which network the guest is, with --net NETWORK")
	case o.floating != "":
		return f, o.float(f, args)
	case len(args) < 3:
		return nil, usagef("missing %s", []string{"PROTOCOL", "LISTEN", "TARGET"}[len(args)])
	}
	if f.Protocol = spec.Protocol(args[0]); f.Protocol != spec.TCP && f.Protocol != spec.UDP && f.Protocol != spec.SCTP {
		return nil, usagef("%q is not a protocol that is forwarded; there are tcp, udp and sctp", args[0])
	}
	if f.Listen, err = spec.ParseListen(args[1]); err != nil {
		return nil, usage(err.Error())
	}
	if f.To, err = spec.ParseTarget(args[2]); err != nil {
		return nil, usage(err.Error())
	}
	if o.address != "" {
		if f.Listen.Addr.IsValid() {
			return nil, usagef("the address is said twice: --address %s and %s", o.address, args[1])
		}
		f.Listen.Addr, err = readAddress(o.address)
	}
	return f, err
}

// float makes a forward a floating address.
func (o forwardAdd) float(f *spec.Forward, args []string) (err error) {
	switch {
	case len(args) > 1:
		return usagef("unexpected argument %q; a floating address leads every protocol and port to TARGET", args[1])
	case o.address != "":
		return usage("--floating and --address exclude each other")
	}
	if f.Floating, err = readAddress(o.floating); err != nil {
		return err
	}
	if f.To, err = spec.ParseTarget(args[0]); err != nil {
		return usage(err.Error())
	}
	return nil
}

func readAddress(word string) (netip.Addr, error) {
	a, err := netip.ParseAddr(word)
	if err != nil {
		return a, usagef("%q is not an address such as 192.0.2.5", word)
	}
	return a, nil
}
