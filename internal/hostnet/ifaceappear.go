package hostnet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kvmnet/internal/spec"
)

// networkdReload has systemd-networkd read its files.
const networkdReload = "networkctl reload"

// appear has systemd-networkd read its files until the device of an interface is there.
// Of one that has just gone it may not know that yet, and then makes no new one.
func (h *Host) appear(ctx context.Context, i spec.HostInterface) error {
	ctx, cancel := context.WithTimeout(ctx, settled)
	defer cancel()
	for {
		if err := h.Run(ctx, strings.Fields(networkdReload)); err != nil {
			return err
		}
		soon, done := context.WithTimeout(ctx, time.Second)
		err := h.until(soon, func() (bool, error) { return h.kernel.exists(i.Name) })
		done()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("systemd-networkd makes no %s: see its log", i.Name)
		}
	}
}
