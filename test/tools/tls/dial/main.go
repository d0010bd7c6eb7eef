// Dials TLS servers the way Determined's agent does: root certificates from one PEM text only, or without one those Go finds
// on the machine, the server name it was given, TLS 1.2 or newer. Reads a JSON list of jobs, writes a JSON object from job to error text (empty: joined).
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

type job struct {
	ID              string `json:"id"`
	Host            string `json:"host"`
	Port            int    `json:"port"`
	AnchorsPEM      string `json:"anchorsPem"`
	CertificateName string `json:"certificateName"`
}

func dial(j job) error {
	// Nil: what Go finds by itself, SSL_CERT_FILE first.
	var roots *x509.CertPool
	if j.AnchorsPEM != "" {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(j.AnchorsPEM)) {
			return errors.New("certificate file contains no certificates")
		}
	}
	host := j.Host
	if host == "" {
		host = "127.0.0.1"
	}
	name := j.CertificateName
	if name == "" {
		name = host
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	config := &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}
	conn, err := tls.DialWithDialer(dialer, "tcp", fmt.Sprintf("%s:%d", host, j.Port), config)
	if err != nil {
		return err
	}
	return conn.Close()
}

func main() {
	var jobs []job
	if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	results := make(map[string]string, len(jobs))
	var lock sync.Mutex
	var group sync.WaitGroup
	for _, j := range jobs {
		group.Add(1)
		go func() {
			defer group.Done()
			text := ""
			if err := dial(j); err != nil {
				text = err.Error()
			}
			lock.Lock()
			defer lock.Unlock()
			results[j.ID] = text
		}()
	}
	group.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		os.Exit(1)
	}
}
