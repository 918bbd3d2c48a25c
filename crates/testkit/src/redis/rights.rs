//! The user that instances are in Redis: with the rights that `deploy/redis.conf` gives it, of which one can be taken away.

/// As the file says it, which the deployments use.
const SETTINGS: &str = include_str!("../../../../deploy/redis.conf");

pub const NAME: &str = "hubbub";
pub const PASSWORD: &str = "s3cret-right";

/// Rules that take a right away, each with the one that gives it back: each command that an append needs, what tells
/// others of it, what reading, entering and staying present take; then every channel, which ends subscriptions, every key,
/// and new connections.
pub const TAKEN: [(&str, &str); 19] = [
    ("-evalsha", "+evalsha"),
    ("-time", "+time"),
    ("-hmget", "+hmget"),
    ("-hset", "+hset"),
    ("-expire", "+expire"),
    ("-xadd", "+xadd"),
    ("-spublish", "+spublish"),
    ("-unlink", "+unlink"),
    ("-xrange", "+xrange"),
    ("-xrevrange", "+xrevrange"),
    ("-ssubscribe", "+ssubscribe"),
    ("-zadd", "+zadd"),
    ("-zscore", "+zscore"),
    ("-get", "+get"),
    ("-set", "+set"),
    ("-hdel", "+hdel"),
    ("resetchannels", "&hubbub:*"),
    ("resetkeys", "~hubbub:*"),
    ("off", "on"),
];

/// The user as `redis.conf` and `ACL SETUSER` take it, name first.
pub fn user() -> String {
    let rights = SETTINGS.lines().find_map(|line| line.strip_prefix("user hubbub "));
    format!("{NAME} {}", rights.unwrap_or_default().replace("PASSWORD", PASSWORD))
}

/// The whole file, with the password in its place.
pub fn settings() -> String {
    SETTINGS.replace(">PASSWORD", &format!(">{PASSWORD}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_was_there() {
        let user = user();
        for (_, given_back) in TAKEN {
            assert!(user.split(' ').any(|word| word == given_back), "{given_back} of {user}");
        }
    }
}
