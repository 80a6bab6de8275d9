/* base.c - see base.h. */
#include "backends/native/base.h"

#include <stddef.h>

const char *const native_base[] = {
    "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64",
    "/usr/libx32", "/usr/libexec", "/usr/share", "/usr/include",
    /* What programs of the base read at start-up, and nothing else. */
    "/etc/alternatives", "/etc/ssl/certs", "/etc/ld.so.cache", "/etc/services",
    "/etc/protocols", "/etc/mime.types", "/etc/locale.alias", "/etc/fonts",
    "/etc/java-8-openjdk", "/etc/java-11-openjdk", "/etc/java-17-openjdk",
    "/etc/java-21-openjdk", "/etc/java-25-openjdk", "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted", "/etc/crypto-policies", NULL
};

const char *const native_links[] = {
    "/bin",           "/sbin",           "/lib", "/lib32", "/lib64", "/libx32",
    "/etc/localtime", "/etc/os-release", NULL
};
