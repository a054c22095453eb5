package cli

import (
	"context"

	"kvmnet/internal/api"
)

var netStart = &verb{name: "net-start", help: "start a (previously defined) inactive network", about: "Start a network.",
	example: `  kvmnet net-start lab`,
	params:  []param{networkParam},
	run:     onNetwork((*api.Client).Start, "Network %s started\n", "Failed to start network %s")}

var netDestroy = &verb{name: "net-destroy", help: "destroy (stop) a network", about: "Forcefully stop a given network.",
	example: `  kvmnet net-destroy lab`,
	params:  []param{networkParam},
	run:     onNetwork((*api.Client).Stop, "Network %s destroyed\n", "Failed to destroy network %s")}

var netUndefine = &verb{name: "net-undefine", help: "undefine a persistent network", about: "Undefine the configuration for a persistent network.",
	example: `  kvmnet net-undefine lab`,
	params:  []param{networkParam},
	run:     onNetwork((*api.Client).Undefine, "Network %s has been undefined\n", "Failed to undefine network %s")}

// onNetwork makes a verb that does one thing with a network.
func onNetwork(do func(*api.Client, context.Context, string) error, done, failed string) func(*call) error {
	return func(c *call) error {
		n, err := c.network()
		if err != nil {
			return err
		}
		name := c.given[networkParam.name] // virsh repeats what it was given, be it a UUID
		if err := do(c.client(), c.ctx, n.Name); err != nil {
			return c.fail(err, n, failed, name)
		}
		c.extra(done, name)
		return nil
	}
}

var netAutostart = &verb{name: "net-autostart", help: "autostart a network", about: "Configure a network to be automatically started at boot.",
	example: `  kvmnet net-autostart lab
  kvmnet net-autostart lab --disable`,
	params: []param{networkParam, {name: "disable", help: "disable autostarting"}},
	run: func(c *call) error {
		marked := "marked"
		if c.has("disable") {
			marked = "unmarked"
		}
		set := func(client *api.Client, ctx context.Context, name string) error {
			return client.SetAutostart(ctx, name, !c.has("disable"))
		}
		return onNetwork(set, "Network %s "+marked+" as autostarted\n", "failed to "+mark(marked)+" network %s as autostarted")(c)
	}}

// mark is the verb of marked.
func mark(marked string) string { return marked[:len(marked)-len("ed")] }
