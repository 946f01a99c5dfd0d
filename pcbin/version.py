"""The version, for everything that writes it into files. The package is built with this one."""

VERSION = "0.1.0"
