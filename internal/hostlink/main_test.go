package hostlink_test

import (
	"testing"

	"kvmnet/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
