"""The words of commands, outputs and sentences that are known to give nothing away, by where they may stand."""

from __future__ import annotations


def words_of(text: str) -> frozenset[str]:
    """Return the words of ``text``."""
    return frozenset(text.split())


SHELLS = words_of("sh bash dash ksh zsh ash")
# Behind these stands the name of a script or a command.
LEADING = SHELLS | words_of(". source cat exec nohup sudo setsid time python python3 perl ansible-playbook")

KEYWORDS = words_of("""
    for while until if then elif else fi do done case esac in select function return exit break continue local export
    declare readonly set unset shift trap wait true false test eval [ ] [[ ]] { } ! : . -- - * ? \\ % ~ + , ; | & @ =
    == != -eq -ne -lt -le -gt -ge -z -n && || EOF EOT END _EOF_ __EOF__ EOS SCRIPT CMDS
""")

PROGRAMS = SHELLS | words_of("""
    docker podman nerdctl crictl ctr docker-compose podman-compose systemctl service initctl rc-service invoke-rc.d
    journalctl systemd-run supervisorctl pcs crm crm_resource crm_standby crm_node stonith_admin virsh ipmitool
    ipmi-chassis ipmipower fence_ipmilan fence_ilo4 fence_drac5 fence_virsh racadm redfishtool ilorest
    ssh slogin rsh scp sftp rsync sshpass ssh-add ssh-agent ssh-copy-id ssh-keygen plink pscp autossh
    sudo su doas runuser env nohup setsid nice ionice stdbuf timeout time command exec builtin chroot nsenter unshare
    kill pkill killall killall5 pidof pgrep ps top reboot poweroff halt shutdown init telinit
    ip ifconfig ifup ifdown iptables ip6tables iptables-save iptables-restore nft tc ethtool brctl bridge nmcli route
    ovs-vsctl ovs-ofctl ovs-appctl arp ss netstat ping ping6 nc ncat telnet dig host nslookup traceroute
    lxc lxc-stop lxc-start lxc-attach lxc-ls lxc-info lxc-freeze lxc-unfreeze machinectl
    ansible ansible-playbook kolla-ansible salt salt-call salt-ssh fab pssh parallel-ssh pdsh dsh clush parallel xargs
    kubectl oc helm k3s crio etcdctl ceph rados rbd rabbitmqctl rabbitmq-plugins rabbitmqadmin
    mysql mysqladmin mysqldump mariadb mariadb-admin mariadb-dump psql pg_ctl pg_ctlcluster pg_dump mongo mongosh
    redis-cli redis-server sqlite3 influx cqlsh sqlplus
    openstack nova neutron cinder glance keystone heat swift rally os-faults os-inject-fault os_faults
    curl wget http https aria2c aws gcloud az s3cmd mc rclone vault consul terraform openssl gpg gpg2 kinit kdestroy
    kadmin klist ldapsearch ldapmodify ldapadd ldapdelete ldappasswd ldapwhoami htpasswd chpasswd passwd usermod useradd
    smbclient winexe net rpcclient mount umount mount.cifs cryptsetup zip unzip 7z tar gzip gunzip bzip2 xz zstd
    snmpset snmpget snmpwalk expect spawn send interact python python2 python3 perl ruby node php java
    echo printf cat tee sed awk gawk grep egrep fgrep head tail cut sort uniq wc tr xxd base64 envsubst dos2unix jq yq
    find ls cd pwd mkdir mktemp rm cp mv ln chmod chown touch stat df du date sleep usleep seq shuf yes read which type
    stress stress-ng dd fallocate sync fio chaosd blade pumba tmux screen at batch crontab watch logger wall uname id
    hostname whoami lsof fuser strace gdb modprobe rmmod insmod sysctl dmesg losetup udevadm apt apt-get yum dnf git
""")

# Subcommands and other words behind programs that say what is done.
ACTIONS = words_of("""
    stop start restart kill pause unpause rm run exec ps ls inspect logs stats top wait attach update container
    compose up down login logout pull push image images volume network info version events cp rename create
    reload try-restart condrestart reload-or-restart force-reload freeze thaw unfreeze enable disable mask unmask status
    is-active is-enabled daemon-reload reset-failed list-units show isolate
    resource cluster standby unstandby cleanup ban move clear manage unmanage maintenance stonith node
    destroy suspend resume reset domstate list autostart undefine managedsave save restore
    chassis power on off cycle soft diag bmc mc sel sdr user channel serveraction powercycle hardreset graceshutdown
    delete get describe patch scale rollout drain cordon uncordon taint apply annotate label edit pod pods
    deployment deployments deploy statefulset sts daemonset ds replicaset rs nodes namespace configmap secret
    link set dev up down addr address add del change replace show qdisc root netem delay loss duplicate corrupt reorder
    rate limit tbf filter class handle parent dst src flush via default
    INPUT OUTPUT FORWARD DROP REJECT ACCEPT RETURN PREROUTING POSTROUTING tcp udp icmp all any mangle nat
    stop_app start_app reset join_cluster cluster_status list_queues add_user change_password set_permissions
    terminate plug unplug oom poweron connect disconnect ingress egress stressed cpu memory disk io
    on for seconds second minutes random one single some container service services node nodes network with to from
    shell command raw script ping name state started stopped restarted reloaded absent present cmd.run service.restart
    service.stop service.start system.reboot system.poweroff system.shutdown test.ping
    noout nodown reweight mon osd tell flush-logs shutdown-all ssl_client s_client connect rpc now ago s
    while true False True yes no none null killed acted restarting stopping starting stopped started hello hi ok done
    now never server servers create rsa req x509 enc pkcs12 sftp session request registry auth
""")

LONG_OPTIONS = words_of("""
    --all --force --now --no-block --quiet --verbose --time --timeout --signal --filter --format --no-trunc --latest
    --name --help --version --yes --stdin --rm --detach --interactive --tty --privileged --restart --network --kill-who
    --kill-whom --job-mode --runtime --no-pager --no-legend --user --type --state --property --host --context --url
    --background --foreground --preserve-status --kill-after --exact --full --newest --oldest --parent --older-than
    --younger-than --become --become-method --limit --inventory --module-name --forks --one-line --namespace --replicas
    --grace-period --ignore-daemonsets --delete-emptydir-data --delete-local-data --selector --all-namespaces --wait
    --on-active --unit --collect --cpu --vm --io --hdd --timeout --vm-bytes --reboot --poweroff --halt --no-wall --mode
    --graceful --project-name --file --no-deps --hosts --batch --expr-form --list --inline --par --fanout --connect
    --config --debug --silent --fail --location --request --insecure --head --output --max-time --retry --login --shell
""")

# Clusters of letters without a value; single letters are harmless.
SHORT_OPTIONS = words_of("""
    -tt -TT -nT -fN -qq -it -ti -itd -aq -qa -aqf -qf -rf -fr -Rf -an -nv -vv -vvv -ef -aux -lah -la -ltr -xe -eu -ex
    -eux -lc -ic -le -kill -exec -KILL -TERM -STOP -CONT -HUP -INT -QUIT -USR1 -USR2 -SIGKILL -SIGTERM -SIGSTOP -SIGCONT
    -SIGHUP -SIGINT -ne -nE -en -Si -Ss -SA -kS -nS -iu -su -become -auxww -nlt -nltp -tulpn -pP -sS -sSL -sSf -fsSL
    -XPOST -XPUT -XDELETE -XGET -sk -ks -lanplus -Ilanplus
""")

SIGNALS = words_of("KILL TERM STOP CONT HUP INT QUIT USR1 USR2 SIGKILL SIGTERM SIGSTOP SIGCONT SIGHUP SIGINT")
# Behind these stands a span of time.
TIMES = words_of("sleep timeout usleep seq exit return -t --time --timeout -k --kill-after --on-active --grace-period")
TIMED = words_of("docker podman nerdctl crictl stop restart timeout stress stress-ng kubectl")

FOLDERS = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/")
FILES = words_of("/dev/null /dev/stdin /dev/stdout /dev/stderr /proc/sysrq-trigger /proc/sys/kernel/sysrq")
FORMATS = words_of("{{.Names}} {{.Name}} {{.ID}} {{.State.Status}} {{.State.Running}} {{.State.Pid}}")

# Parts that names of services, units and processes are made of.
PARTS = words_of("""
    nova compute api conductor scheduler libvirt novncproxy ssh consoleauth spicehtml5proxy serialproxy metadata cell
    super cells glance registry cache keystone fernet horizon neutron server l3 dhcp agent openvswitch ovs linuxbridge
    bgp dragent lbaas sriov ovn northd controller nb sb db relay infoblox ipam cinder volume backup heat engine cfn
    cloudwatch placement swift proxy account container object expirer replicator updater auditor rsyncd reaper ironic
    inspector dnsmasq pxe tftp ipxe octavia worker housekeeping health manager driver barbican keystone listener
    designate central producer mdns sink backend bind9 magnum manila share data mariadb mysql mysqld galera clustercheck
    rabbitmq memcached memcache haproxy keepalived chrony chronyd ntp ntpd vswitchd ovsdb vswitch ceph mon mgr osd mds
    rgw radosgw crash kube apiserver etcd kubelet fluentd fluent bit docker dockerd containerd crio cri o podman runtime
    cron kolla toolbox tripleo edpm devstack openstack service socket httpd apache2 nginx uwsgi wsgi gnocchi metricd
    statsd aodh evaluator notifier ceilometer notification polling ipmi pacemaker corosync pcsd redis sentinel mongodb
    mongod postgres postgresql elasticsearch opensearch kibana grafana prometheus telegraf influxdb node exporter
    cadvisor libvirtd virtlogd virtqemud virtproxyd iscsid multipathd tgtd sshd networking networkmanager systemd
    networkd firewalld qdrouterd zookeeper kafka proxysql trove masakari mistral senlin zun sahara murano freezer
    blazar cyborg watcher tacker vitrage cloudkitty skyline console q svc g c n k h etc bundle
    restart replica cluster main public internal admin local host logger stunnel letsencrypt solum qemu kvm guest
    cpu net sch vol reg crt novnc cauth hstick cbak
""")

# Words of what programs print when they act, refuse, or cannot be reached.
OUTPUT = words_of("""
    dry run server namespace force
    error response from daemon no such container is not running already in use stopped started starting stopping stop
    start restart restarted restarting created exited up down ago seconds second minutes minute hours about running dead
    paused unpaused cannot can't could unable failed failure to failed. connect host port resolve hostname name or
    service known connection refused closed reset by timed out timeout permission denied publickey password
    keyboard-interactive gssapi-keyex gssapi-with-mic hostbased please try again pseudo-terminal will be allocated
    because stdin a terminal welcome warning permanently added the list of hosts lost broken pipe remote end
    changed success unreachable unreachable! failed! rc ok skipped rescued ignored play recap task stdout stderr stdout:
    retcode exit code status exited with signal terminated killed removed deleted scaled patched drained cordoned
    uncordoned evicted pod pods node nodes deployment deployment.apps statefulset.apps daemonset.apps unit found
    loaded active inactive dead enabled disabled job for because control process see systemctl details command
    it access route network unreachable operation permitted domain destroyed shutdown being rebooted reboot
    chassis power control reset cycle off on soft true false and there are any process processes matched
    system going now minutes: broadcast message at usage invalid option request denied unknown id null none
    restarting: acted object exists file directory bad gateway temporary
    context deadline exceeded during tried but did not receive event eof client.timeout read
""")

# Plain words of descriptions, notes and messages.
PLAIN = words_of("""
    a an and are as at be been before behind below both but by came can cannot certain could did do does done down each
    either else end ends every few first following for from gives given goes had has have here how if in inside into is
    it its itself last later least leads left less like lone longer made many may means meant met might more most much
    must name named names near neither never new next no none nor not nothing now of off often on once one ones only or
    order orders other others out over own per place plain rest run running runs said same say says second see seen set
    several shall should shows since single so some stands still such take taken takes tell tells ten than that the
    their them then there these they things this those three through thus time times to together too total true twice
    two under until up upon us used uses using very was way well went were what when where whether which while who
    whole whose why will with within without word words would yet you your
    all any act acts acted acting action actions after again against ago among amount another answer argument arguments
    array as ask asks assumed back background base becomes begins block body branch branches break breaks broken busy
    call called calls case cases caused causes certain change changed changes characters choice chooses chosen cluster
    code command commanded commands comment compared compute condition conditions configured container containers
    continues control controller copies count counted counts daemon deep default defined delay depends describe
    description detached different direct directly does doubt during effect effects empty ended ending endless
    engine error event exact exactly except exit exits expected expression fails failed failing failover fault faults
    file files finds finished fired fires follow followed follows foreground form format found full function
    functions group half happened happens hidden hits hook hooks host hosts image immediately injected injection inject
    input instance instances interpreted inventory iteration iterations its job jump kept kill killed killing kills
    kind kinds knows known language leave leaves line lines list listed load local located lock log logs long longer
    look looks loop loops lost machine machines main matches memory message messages missing module moment moved
    names nested network no node nodes noise notation number numbers object occurs odd old open operator option
    options outage outlasts output outside packet part partial parts passed passes path paths pattern patterns pause
    periodic piped pipe pipes planned play playbook playbooks pods point positions possible power prints problem
    process processes production program programs quote quoted random read reader reading reads reason reboot
    rebooted recorded recovery redirected refers refused release remote remaining removed repeated replaced report
    result results return returned returns reverse reversed role roles round rounds sample scenario script scripts
    seconds selected send sent service services session sessions several shell shells show shown signal silent
    simple sleep so something somewhere source sourced stage standard start started starting starts state statement
    status step steps stop stopped stopping stops stress substitution succeeded success successful such system table
    target targets task tasks test tested tests text texts them thing timeout tool tools trigger triggered triggers
    try type unclear undone unit units unknown unread unset unsuccessful unreadable unreachable unrolled use user
    value values variable variables verb version wait waiting waits while wrong write writes written yield
    closed never starts acting is's nobody everywhere nowhere anything everything else's restart restarts restarted
    restarting chaos experiment openstack operator's rally scenario's workload workloads boot delete create server
    servers images networks volumes database databases queue cache primary secondary backend api agent agents storage
    ha high availability latency loss upgrade degraded reliability performance soak smoke nightly weekly production
    staging lab test-bed testbed desc freeze freezes unfreeze frozen disconnect connect reconnect isolate isolated
    half quarter minute minutes hour hours day days sec secs ms min ended end's begin beginning
""")
