package checks

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are the objects that kustomize makes of a directory.
type manifests struct {
	Namespace               core.Namespace
	Deployment              apps.Deployment
	Services                map[string]core.Service
	HorizontalPodAutoscaler autoscaling.HorizontalPodAutoscaler
	PodDisruptionBudget     disruption.PodDisruptionBudget
	NetworkPolicy           networking.NetworkPolicy
	ServiceMonitor          monitoring.ServiceMonitor
}

// kustomized builds a directory as kubectl apply -k does, and decodes each object
// strictly into the type of its API: an unknown field is an error.
func kustomized(t *testing.T, dir string) *manifests {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	m := &manifests{Services: map[string]core.Service{}}
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var service core.Service
		into := any(&service)
		if r.GetKind() != "Service" {
			field := reflect.ValueOf(m).Elem().FieldByName(r.GetKind())
			if !field.IsValid() {
				t.Fatalf("%s: nobody looks at a %s", dir, r.GetKind())
			}
			into = field.Addr().Interface()
		}
		if err := strictly(text, into); err != nil {
			t.Fatalf("%s: %s %s: %v", dir, r.GetKind(), r.GetName(), err)
		}
		if r.GetKind() == "Service" {
			m.Services[service.Name] = service
		}
	}
	return m
}

// strictly decodes YAML as the API server does when it is asked to be strict:
// unknown fields, fields in the wrong case and fields that are there twice are
// errors.
func strictly(text []byte, into any) error {
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	unknown, err := json.UnmarshalStrict(data, into)
	return errors.Join(append(unknown, err)...)
}

// eachManifests tests what the base and its overlay have in common.
func eachManifests(t *testing.T, f func(t *testing.T, m *manifests)) {
	for _, dir := range []string{"../kubernetes/base", "../kubernetes/overlays/production"} {
		t.Run(dir, func(t *testing.T) { f(t, kustomized(t, dir)) })
	}
}

// TestKubernetesDrain: a pod that is to end has the time for it, and none leaves
// before its successor is there.
func TestKubernetesDrain(t *testing.T) {
	eachManifests(t, func(t *testing.T, m *manifests) {
		pod := m.Deployment.Spec.Template.Spec
		c := pod.Containers[0]
		sleep := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
		drain, err := time.ParseDuration(environment(c)["ECHOGATE_DRAIN_TIMEOUT"])
		if err != nil {
			t.Fatal(err)
		}
		grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
		if sleep <= 0 || grace <= sleep+drain {
			t.Errorf("grace time %v, want more than the %v of preStop and the %v of the drain", grace, sleep, drain)
		}
		if got := m.Deployment.Spec.Strategy.RollingUpdate.MaxUnavailable; got.IntValue() != 0 || got.String() != "0" {
			t.Errorf("maxUnavailable %v, want 0", got)
		}
		if m.Deployment.Spec.Replicas != nil {
			t.Error("replicas are the autoscaler's")
		}
	})
}

func environment(c core.Container) map[string]string {
	env := map[string]string{}
	for _, v := range c.Env {
		env[v.Name] = v.Value
	}
	return env
}

// TestKubernetesOptions: the pods' variables are options of the gateway.
func TestKubernetesOptions(t *testing.T) {
	eachManifests(t, func(t *testing.T, m *manifests) {
		pod := m.Deployment.Spec.Template.Spec
		accepted(t, "deployment.yaml", environment(pod.Containers[0]))
		if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
			t.Error("service links put variables of our prefix into the pod")
		}
	})
}

// TestKubernetesRestricted: the pods keep to the strictest of the Pod Security
// Standards, as the code that enforces it says, and to a little more.
func TestKubernetesRestricted(t *testing.T) {
	eachManifests(t, func(t *testing.T, m *manifests) {
		evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
		if err != nil {
			t.Fatal(err)
		}
		template := m.Deployment.Spec.Template
		level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
		for _, r := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
			if !r.Allowed {
				t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
		if s := template.Spec.Containers[0].SecurityContext; s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			t.Error("the root file system could be written to")
		}
		if a := template.Spec.AutomountServiceAccountToken; a == nil || *a {
			t.Error("the pod has a token that it does not need")
		}
	})
}

// TestKubernetesSelectors: what points at the pods finds them.
func TestKubernetesSelectors(t *testing.T) {
	eachManifests(t, func(t *testing.T, m *manifests) {
		pod := labels.Set(m.Deployment.Spec.Template.Labels)
		finds := func(what string, s *meta.LabelSelector) {
			t.Helper()
			selector, err := meta.LabelSelectorAsSelector(s)
			if err != nil || selector.Empty() || !selector.Matches(pod) {
				t.Errorf("%s selects %v (%v), want the pods with %v", what, selector, err, pod)
			}
		}
		finds("Deployment", m.Deployment.Spec.Selector)
		finds("PodDisruptionBudget", m.PodDisruptionBudget.Spec.Selector)
		finds("NetworkPolicy", &m.NetworkPolicy.Spec.PodSelector)
		for name, s := range m.Services {
			finds("Service "+name, meta.SetAsLabelSelector(s.Spec.Selector))
		}
		for _, c := range m.Deployment.Spec.Template.Spec.TopologySpreadConstraints {
			finds("the spread over "+c.TopologyKey, c.LabelSelector)
		}
		if n := len(m.Deployment.Spec.Template.Spec.TopologySpreadConstraints); n != 2 {
			t.Errorf("got %d topology constraints, want zones and nodes", n)
		}
		if to := m.HorizontalPodAutoscaler.Spec.ScaleTargetRef; to.Kind != "Deployment" || to.Name != m.Deployment.Name {
			t.Errorf("the autoscaler scales %v", to)
		}
		var monitored []string
		for name, s := range m.Services {
			if selector, err := meta.LabelSelectorAsSelector(&m.ServiceMonitor.Spec.Selector); err == nil && selector.Matches(labels.Set(s.Labels)) {
				monitored = append(monitored, name)
			}
		}
		if !slices.Equal(monitored, []string{"echogate-admin"}) {
			t.Errorf("the ServiceMonitor finds %v, want the Service of the admin port alone", monitored)
		}
	})
}

// TestKubernetesPorts: ports that are named exist, and the admin port is on no
// Service that a load balancer takes its traffic to.
func TestKubernetesPorts(t *testing.T) {
	eachManifests(t, func(t *testing.T, m *manifests) {
		c := m.Deployment.Spec.Template.Spec.Containers[0]
		ports := map[string]int32{}
		for _, p := range c.Ports {
			ports[p.Name] = p.ContainerPort
		}
		if want := (map[string]int32{"ws": 9998, "admin": 9999}); !reflect.DeepEqual(ports, want) {
			t.Errorf("ports %v, want those of the image, %v", ports, want)
		}
		for _, probe := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			if probe.HTTPGet.Port.StrVal != "admin" {
				t.Errorf("a probe asks port %v", probe.HTTPGet.Port)
			}
		}
		if live, ready := c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path; live != "/healthz" || ready != "/readyz" {
			t.Errorf("got %s for life and %s for readiness", live, ready)
		}
		public, admin := m.Services["echogate"].Spec.Ports, m.Services["echogate-admin"].Spec.Ports
		if len(public) != 1 || public[0].TargetPort.StrVal != "ws" || len(admin) != 1 || admin[0].TargetPort.StrVal != "admin" {
			t.Errorf("Services with ports %v and %v", public, admin)
		}
		if got := m.ServiceMonitor.Spec.Endpoints[0].Port; got != admin[0].Name {
			t.Errorf("the ServiceMonitor asks port %q", got)
		}
		for _, rule := range m.NetworkPolicy.Spec.Ingress {
			for _, p := range rule.Ports {
				if p.Port.StrVal == "admin" && len(rule.From) == 0 {
					t.Error("anybody reaches the admin port")
				}
			}
		}
	})
}

// TestKubernetesScaling: by connections, with room for the pods that are lost,
// and slowly down.
func TestKubernetesScaling(t *testing.T) {
	eachManifests(t, func(t *testing.T, m *manifests) {
		h := m.HorizontalPodAutoscaler.Spec
		if len(h.Metrics) != 1 || h.Metrics[0].Pods == nil || h.Metrics[0].Pods.Metric.Name != "echogate_connections" {
			t.Fatalf("metrics %v, want connections", h.Metrics)
		}
		env := environment(m.Deployment.Spec.Template.Spec.Containers[0])
		ready := env["ECHOGATE_READY_CONNECTIONS"]
		if each := h.Metrics[0].Pods.Target.AverageValue.String(); len(each) > len(ready) || len(each) == len(ready) && each >= ready {
			t.Errorf("scaled at %s connections, which is not below the %s at which a pod takes no more", each, ready)
		}
		down := h.Behavior.ScaleDown
		if *down.StabilizationWindowSeconds < 300 || down.Policies[0].Type != autoscaling.PodsScalingPolicy {
			t.Errorf("scales down by %v, want pod by pod", down)
		}
		if *h.MinReplicas < 2 || h.MaxReplicas <= *h.MinReplicas {
			t.Errorf("%d to %d replicas", *h.MinReplicas, h.MaxReplicas)
		}
		if b := m.PodDisruptionBudget.Spec; b.MaxUnavailable == nil || b.MaxUnavailable.IntValue() >= int(*h.MinReplicas) {
			t.Errorf("the budget allows %v of %d to go", b.MaxUnavailable, *h.MinReplicas)
		}
		if len(m.Deployment.Spec.Template.Spec.Containers[0].Resources.Requests) != 2 {
			t.Error("no requests of CPU and memory")
		}
	})
}

// TestKubernetesOverlay: all of it is in the namespace, with an image that has a
// name and a tag.
func TestKubernetesOverlay(t *testing.T) {
	m := kustomized(t, "../kubernetes/overlays/production")
	if m.Namespace.Name != "echogate" || m.Deployment.Namespace != "echogate" || m.ServiceMonitor.Namespace != "echogate" {
		t.Errorf("namespaces %q, %q, %q", m.Namespace.Name, m.Deployment.Namespace, m.ServiceMonitor.Namespace)
	}
	if image := m.Deployment.Spec.Template.Spec.Containers[0].Image; !strings.Contains(image, "/echogate:v") {
		t.Errorf("image %q", image)
	}
	if s := m.Services["echogate"].Spec; s.Type != core.ServiceTypeLoadBalancer || s.ExternalTrafficPolicy != core.ServiceExternalTrafficPolicyLocal {
		t.Errorf("public Service of type %s with policy %s", s.Type, s.ExternalTrafficPolicy)
	}
}

func TestKubernetesStrict(t *testing.T) {
	for _, tt := range []struct {
		text string
		ok   bool
	}{
		{"spec: {maxUnavailable: 1}", true},
		{"spec: {maxunavailable: 1}", false},
		{"spec: {maxUnavailable: 1, maxUnavailable: 2}", false},
		{"specs: {}", false},
		{"spec: {maxUnavailable: [1]}", false},
	} {
		if err := strictly([]byte(tt.text), new(disruption.PodDisruptionBudget)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
}
