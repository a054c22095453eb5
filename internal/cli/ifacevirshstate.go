package cli

import (
	"context"
	"fmt"

	"kvmnet/internal/api"
)

var ifaceStart = &verb{name: "iface-start", help: `start a physical host interface (enable it / "if-up")`, about: "start a physical host interface.",
	example: `  kvmnet iface-start br0`,
	params:  []param{ifaceParam},
	run: func(c *call) error {
		i, err := c.iface(ifaceParam.name, ifaceByName|ifaceByMAC)
		if err != nil {
			return err
		}
		name := c.given[ifaceParam.name]
		done, err := c.client().StartInterface(c.ctx, api.InterfaceAction{Name: i.Name, Peer: sshPeer()})
		if err != nil {
			return c.failInterface(err, "Failed to start interface %s", name)
		}
		c.extra("Interface %s started\n", name)
		c.waits(done.Conversion)
		return nil
	}}

var ifaceDestroy = &verb{name: "iface-destroy", help: `destroy a physical host interface (disable it / "if-down")`, about: "forcefully stop a physical host interface.",
	example: `  kvmnet iface-destroy br0
  kvmnet iface-destroy eth0 --force`,
	params: []param{ifaceParam, forceParam},
	run: func(c *call) error {
		i, err := c.iface(ifaceParam.name, ifaceByName|ifaceByMAC)
		if err != nil {
			return err
		}
		name := c.given[ifaceParam.name]
		if err := c.client().StopInterface(c.ctx, api.InterfaceAction{Name: i.Name, Peer: sshPeer(), Force: c.has(forceParam.name)}); err != nil {
			return c.failInterface(err, "Failed to destroy interface %s", name)
		}
		c.extra("Interface %s destroyed\n", name)
		return nil
	}}

var (
	ifaceBegin = &verb{name: "iface-begin", about: "Create a restore point for interfaces settings",
		help:    "create a snapshot of current interfaces settings, which can be later committed (iface-commit) or restored (iface-rollback)",
		example: `  kvmnet iface-begin`,
		run:     (*call).beginInterfaces}
	ifaceCommit = &verb{name: "iface-commit", help: "commit changes made since iface-begin and free restore point", about: "commit changes and free restore point",
		example: `  kvmnet iface-commit`,
		run:     (*call).commitInterfaces}
	ifaceRollback = &verb{name: "iface-rollback", help: "rollback to previous saved configuration created via iface-begin", about: "rollback to previous restore point",
		example: `  kvmnet iface-rollback`,
		run:     (*call).rollbackInterfaces}
)

func (c *call) beginInterfaces() error {
	return c.onChange((*api.Client).BeginInterfaces, "begin", "started")
}

func (c *call) commitInterfaces() error {
	return c.onChange((*api.Client).CommitInterfaces, "commit", "committed")
}

func (c *call) rollbackInterfaces() error {
	return c.onChange((*api.Client).RollbackInterfaces, "rollback", "rolled back")
}

// onChange begins or ends a change of all interfaces.
func (c *call) onChange(do func(*api.Client, context.Context) error, verb, done string) error {
	if err := do(c.client(), c.ctx); err != nil {
		return c.failInterface(err, "Failed to %s network config change transaction", verb)
	}
	c.extra("Network config change transaction %s\n", done)
	return nil
}

// waits tells of a change that is reverted unless it is confirmed. Scripts made for
// virsh do not confirm, so that everybody is told.
func (a *app) waits(c *api.Conversion) {
	if c == nil || c.Change == nil {
		return
	}
	fmt.Fprintf(a.Stderr, "kvmnet: %s is reverted in %s unless it is confirmed, from a new session: kvmnet bridge confirm %s\n", c.Change.What, c.Change.Left, c.Change.ID)
	if c.Watches != "" {
		fmt.Fprintf(a.Stderr, "kvmnet: a new connection from %s confirms it by itself\n", c.Watches)
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(a.Stderr, "kvmnet: note: %s\n", w)
	}
}
