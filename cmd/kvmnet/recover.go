package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"kvmnet/internal/cli"
	"kvmnet/internal/confirm"
	"kvmnet/internal/hostnet"
	"kvmnet/internal/netns"
	"kvmnet/internal/resolved"
)

// recoverHost is `kvmnet recover`.
func recoverHost(ctx context.Context, o cli.RecoverOptions) (err error) {
	ns, err := netns.Current()
	if err != nil {
		return err
	}
	defer ns.Close()
	if _, err := os.Stat(o.StateDir); errors.Is(err, os.ErrNotExist) {
		return nil // no daemon ever ran
	}
	h, err := hostnet.Open(hostnet.Options{NS: ns, Root: o.Root, OwnDir: filepath.Join(o.ConfigDir, "interfaces"), StateDir: o.StateDir, Log: slog.New(slog.DiscardHandler),
		Kinds: map[string]confirm.Kind{"apply": later{}}, Resolvers: resolved.Resolvers{Options: resolved.Options{NS: ns}}})
	if err != nil {
		return fmt.Errorf("recover changes of the host's network: %w", err)
	}
	defer h.Close(ctx)
	ended, err := h.Recover(ctx)
	for _, c := range ended {
		o.Say("change %s (%s) %s: %s", c.ID, c.What, c.State, c.Why)
	}
	return err
}

// later leaves changes of definitions to the daemon.
type later struct{}

func (later) Revert(context.Context, confirm.Change) error { return confirm.ErrLater }
func (later) Finish(context.Context, confirm.Change) error { return nil }
