/* secret.c - see secret.h. */
#include "base/secret.h"

#include <stddef.h>
#include <string.h>

#include "base/scoped.h"

struct secret {
    const char *name, *why;
};

/* From the root. */
static const struct secret places[] = {
    { "/etc/shadow", "passwords" },
    { "/etc/shadow-", "passwords" },
    { "/etc/gshadow", "passwords" },
    { "/etc/gshadow-", "passwords" },
    { "/etc/sudoers", "who may be root" },
    { "/etc/sudoers.d", "who may be root" },
    { "/etc/ssl/private", "private keys" },
    { "/etc/krb5.keytab", "a private key" },
    { "/etc/NetworkManager/system-connections", "passwords" },
    { "/etc/wireguard", "private keys" },
    { "/etc/kubernetes", "credentials of Kubernetes" },
    { "/var/lib/sss/secrets", "passwords" },
    { "/run/secrets", "a file of secrets" },
    { "/var/run/secrets", "a file of secrets" },
    { "/run/credentials", "a file of secrets" },
};

/* In any directory: homes lie anywhere, and a project has its own. */
static const struct secret names[] = {
    { ".ssh", "keys of SSH" },
    { ".gnupg", "keys of GnuPG" },
    { ".aws", "credentials of a cloud" },
    { ".azure", "credentials of a cloud" },
    { ".kube", "credentials of Kubernetes" },
    { ".codex", "credentials of an assistant" },
    { ".gemini", "credentials of an assistant" },
    { ".s3cfg", "credentials of a cloud" },
    { ".databrickscfg", "credentials of a cloud" },
    { ".fly", "credentials of a cloud" },
    { ".kaggle", "a token" },
    { ".boto", "credentials of a cloud" },
    { ".config/gcloud", "credentials of a cloud" },
    { ".config/doctl", "credentials of a cloud" },
    { ".config/rclone", "credentials of a cloud" },
    { ".config/gh", "credentials of a code host" },
    { ".config/glab-cli", "credentials of a code host" },
    { ".config/hub", "credentials of a code host" },
    { ".config/op", "passwords" },
    { ".config/sops", "private keys" },
    { ".config/age", "private keys" },
    { ".config/github-copilot", "credentials of an assistant" },
    { ".config/git/credentials", "passwords" },
    { ".config/containers/auth.json", "credentials of a registry" },
    { ".docker/config.json", "credentials of a registry" },
    { ".terraform.d/credentials.tfrc.json", "credentials of a cloud" },
    { ".cargo/credentials", "a token" },
    { ".cargo/credentials.toml", "a token" },
    { ".gem/credentials", "a token" },
    { ".cache/huggingface/token", "a token" },
    { ".cache/huggingface/stored_tokens", "a token" },
    { ".composer/auth.json", "a token" },
    { ".config/composer/auth.json", "a token" },
    { ".m2/settings.xml", "passwords" },
    { ".m2/settings-security.xml", "passwords" },
    { ".gradle/gradle.properties", "passwords" },
    { ".password-store", "passwords" },
    { ".local/share/keyrings", "passwords" },
    { ".local/share/kwalletd", "passwords" },
    { ".bitcoin", "a wallet" },
    { ".ethereum", "a wallet" },
    { ".electrum", "a wallet" },
    { ".monero", "a wallet" },
    { ".mozilla", "a browser's profile" },
    { ".thunderbird", "a mail program's profile" },
    { ".config/google-chrome", "a browser's profile" },
    { ".config/chromium", "a browser's profile" },
    { ".config/BraveSoftware", "a browser's profile" },
    { ".config/microsoft-edge", "a browser's profile" },
    { ".config/vivaldi", "a browser's profile" },
    { ".config/opera", "a browser's profile" },
    { "snap/firefox", "a browser's profile" },
    { "snap/chromium", "a browser's profile" },
};

/* Files of any directory, which may have such a name as a directory. */
static const struct secret files[] = {
    { ".netrc", "passwords" },
    { "_netrc", "passwords" },
    { ".git-credentials", "passwords" },
    { ".pgpass", "passwords" },
    { ".my.cnf", "passwords" },
    { ".npmrc", "a token" },
    { ".pypirc", "passwords" },
    { ".htpasswd", "passwords" },
    { ".vault-token", "a token" },
    { ".dockercfg", "credentials of a registry" },
    { ".env", "a file of secrets" },
    { ".envrc", "a file of secrets" },
    { "wallet.dat", "a wallet" },
    { "fish_history", "what was typed into a shell" },
    { "id_rsa", "a private key" },
    { "id_dsa", "a private key" },
    { "id_ecdsa", "a private key" },
    { "id_ecdsa_sk", "a private key" },
    { "id_ed25519", "a private key" },
    { "id_ed25519_sk", "a private key" },
    { "ssh_host_rsa_key", "a private key" },
    { "ssh_host_dsa_key", "a private key" },
    { "ssh_host_ecdsa_key", "a private key" },
    { "ssh_host_ed25519_key", "a private key" },
};

/* Directly in a home: names that a project may use for something else. */
static const struct secret of_home[] = {
    { ".docker", "credentials of a registry" },
    { ".oci", "credentials of a cloud" },
    { ".terraform.d", "credentials of a cloud" },
};

/* Directories that hold one of the above beside other things. */
static const char *const above[] = {
    "/",     "/etc", "/etc/ssh", "/etc/ssl", "/home",
    "/root", "/run", "/var",     "/var/lib", "/var/lib/sss",
};

static bool is_in(const char *path, const char *dir)
{
    const size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool ends_in(const char *name, const char *tail)
{
    const size_t n = strlen(name), t = strlen(tail);

    return n > t && strcmp(name + n - t, tail) == 0;
}

static const char *find(const struct secret *list, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (is_in(text, list[i].name))
            return list[i].why;
    return NULL;
}

/* ".env.local"; what is to be copied has none in it. */
static bool is_env(const char *name)
{
    static const char *const tails[] = { ".example", ".sample", ".template",
                                         ".dist", ".defaults" };

    for (size_t i = 0; i < ARRAY_LEN(tails); i++)
        if (ends_in(name, tails[i]))
            return false;
    return strncmp(name, ".env.", 5) == 0;
}

static const char *why_file(const char *name)
{
    if (is_env(name))
        return "a file of secrets";
    if (name[0] == '.' && ends_in(name, "_history"))
        return "what was typed into a program";
    return find(files, ARRAY_LEN(files), name);
}

/* Behind the home, "/.x"; NULL: it is in none. */
static const char *behind_home(const char *path, const char *home)
{
    const size_t n = home ? strlen(home) : 0;

    if (n > 1 && is_in(path, home))
        return path + n;
    if (is_in(path, "/root"))
        return path + 5;
    return strncmp(path, "/home/", 6) == 0 ? strchr(path + 6, '/') : NULL;
}

static const char *why_place(const char *path, const char *home)
{
    const char *why = find(places, ARRAY_LEN(places), path);

    if (why)
        return why;
    if (strncmp(path, "/etc/ssh/", 9) == 0 && ends_in(path, "key"))
        return "a private key";
    if (strncmp(path, "/proc/", 6) == 0 && ends_in(path, "/environ"))
        return "a process's environment";
    if (is_in(path, "/root") && !(home && is_in(home, "/root")))
        return "somebody else's home";
    return NULL;
}

const char *secret_why(const char *path, bool is_dir, const char *home)
{
    const char *why = why_place(path, home), *rest = behind_home(path, home),
               *slash = strrchr(path, '/');

    for (const char *at = strchr(path, '/'); at && !why;
         at = strchr(at + 1, '/')) {
        why = find(names, ARRAY_LEN(names), at + 1);
        if (!why && strncmp(at + 1, ".claude", 7) == 0)
            why = "credentials of an assistant";
    }
    if (!why && rest && rest[0])
        why = find(of_home, ARRAY_LEN(of_home), rest + 1);
    return why || is_dir || !slash ? why : why_file(slash + 1);
}

/* Which of the names of more than one component a directory would show. */
static bool is_above_name(const char *part)
{
    const size_t n = strlen(part);

    for (size_t i = 0; n > 0 && i < ARRAY_LEN(names); i++)
        if (strncmp(names[i].name, part, n) == 0 && names[i].name[n] == '/')
            return true;
    return false;
}

/* Somebody else's home below /home, or what is in it. */
static bool is_of_another(const char *path, const char *home)
{
    size_t n;

    if (strncmp(path, "/home/", 6) != 0 || !path[6])
        return false;
    n = 6 + strcspn(path + 6, "/");
    return !home || strncmp(path, home, n) != 0 ||
           (home[n] != '\0' && home[n] != '/');
}

bool secret_is_in(const char *path, const char *home)
{
    if (secret_why(path, false, home) || (home && is_in(home, path)) ||
        is_of_another(path, home))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(above); i++)
        if (strcmp(path, above[i]) == 0)
            return true;
    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/'))
        if (is_above_name(at + 1))
            return true;
    return false;
}

bool secret_is_home(const char *dir, const char *home)
{
    if (strcmp(dir, "/") == 0 || strcmp(dir, "/home") == 0 ||
        strcmp(dir, "/root") == 0 || (home && home[0] && is_in(home, dir)))
        return true;
    return strncmp(dir, "/home/", 6) == 0 && !strchr(dir + 6, '/');
}
