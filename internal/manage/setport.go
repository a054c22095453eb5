package manage

import (
	"context"
	"errors"

	"kvmnet/internal/api"
)

// SetPort implements api.Service.
func (m *Manager) SetPort(ctx context.Context, name string, r api.SetPort) (api.Port, error) {
	return api.Port{}, errors.ErrUnsupported
}

// PlugPort implements api.Service.
func (m *Manager) PlugPort(ctx context.Context, r api.PlugPort) (api.Port, error) {
	return api.Port{}, errors.ErrUnsupported
}

// UnplugPort implements api.Service.
func (m *Manager) UnplugPort(ctx context.Context, iface string) error { return errors.ErrUnsupported }
