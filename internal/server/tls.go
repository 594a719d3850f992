package server

import (
	"crypto/tls"
	"fmt"
)

// tls loads what the port needs to speak TLS, 1.2 or later; nil when it speaks none.
func (c Config) tls() (*tls.Config, error) {
	if c.TLSCertFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
	if err != nil {
		return nil, fmt.Errorf("tlsCertFile, tlsKeyFile: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
