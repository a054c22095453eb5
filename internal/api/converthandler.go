package api

import (
	"context"
	"net/http"
)

// routeBridges serves the verbs about bridges of the host's own interfaces.
func routeBridges(m *http.ServeMux, s BridgeService) {
	m.Handle("GET /v1/conversions", list(s.Conversions))
	m.Handle("POST /v1/conversions", take(func(ctx context.Context, c ConvertBridge) (any, error) {
		if c.Interface == "" {
			return nil, missing("interface")
		}
		return s.ConvertBridge(ctx, c)
	}))
	m.Handle("POST /v1/unconversions", take(func(ctx context.Context, c UnconvertBridge) (any, error) {
		if c.Bridge == "" {
			return nil, missing("bridge")
		}
		return s.UnconvertBridge(ctx, c)
	}))
	m.Handle("GET /v1/changes", list(s.Changes))
	m.Handle("POST /v1/changes/confirm", take(func(ctx context.Context, c changeID) (any, error) {
		return s.ConfirmChange(ctx, c.ID)
	}))
	m.Handle("POST /v1/changes/rollback", take(func(ctx context.Context, c changeID) (any, error) {
		return s.RollbackChange(ctx, c.ID)
	}))
}

// changeID names a change that waits; "" is the only one.
type changeID struct {
	ID string `json:"id,omitempty"`
}
